"""Operators change the configuration while leads come in: by the API, and by the command line."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.system import OPERATOR_TOKEN, System, routing

from relance_local.services import ROUTER


async def relance(
    system: System, *arguments: str, token: str = OPERATOR_TOKEN, terminal: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    """Run the command line as an operator would; without a terminal, if none is given."""
    return await asyncio.to_thread(
        subprocess.run,
        [str(Path(sys.executable).parent / "relance"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=terminal,
        env={
            "PATH": os.environ["PATH"],
            "RELANCE_URL": system.url(ROUTER, ""),
            "RELANCE_OPERATOR_TOKEN": token,
            "RELANCE_OPERATOR": "olga",
        },
    )


async def document(system: System, *arguments: str, status: int = 0) -> Any:
    """What a command prints with --json."""
    done = await relance(system, *arguments, "--json")
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


async def test_a_new_configuration_takes_the_next_lead_and_survives_a_restart(system: System) -> None:
    """The file that the router began with no longer means anything."""
    asia = {"team": "asia"}
    assert (await system.told(await system.post_lead(fields=asia))).data["rep"] in {"anna", "ben"}
    version = await system.apply_routing(routing(system.endpoints, {"sales": ["anna"], "asia": ["mei"]}))
    assert version == 2
    assert (await system.told(await system.post_lead(fields=asia))).data["rep"] == "mei"
    assert "relance_router_configuration_version 2.0" in await system.metrics(ROUTER)

    await system.services.running[ROUTER].stop()
    await system.services.start([ROUTER])
    assert (await system.told(await system.post_lead(fields=asia))).data["rep"] == "mei"
    _, history = await system.operate("GET", "/v1/configurations?limit=1")
    assert [(each["version"], each["applied_by"]) for each in history["versions"]] == [(2, "a test")]
    assert history["versions"][0]["switched_at"]["leads.received"]


async def test_who_stood_unrouted_is_routed_by_the_configuration_that_has_somebody(system: System) -> None:
    """At once, without a restart."""
    away = {"anna": {"available": False}}
    await system.apply_routing(routing(system.endpoints, {"sales": ["anna"]}, reps=away))
    lead_id = await system.post_lead(fields={"team": "sales"})
    await system.wait_for_rows("SELECT * FROM reporting.unrouted WHERE lead_id = $1", lead_id)
    await system.apply_routing(routing(system.endpoints, {"sales": ["anna"]}))
    assert (await system.told(lead_id)).endpoint == "rep:anna"
    assert await system.rows("SELECT 1 FROM reporting.unrouted") == []


async def test_a_wrong_configuration_is_refused_with_every_line_and_the_running_one_stays(system: System) -> None:
    """Checked alone or applied, the faults are the same."""
    wrong = routing(system.endpoints, {"sales": ["anna", "ben"]}).replace("rep: ", "rep: no-")
    lines = [number for number, line in enumerate(wrong.splitlines(), 1) if "rep: " in line]
    status, verdict = await system.operate("POST", "/v1/configurations/check", {"content": wrong})
    assert (status, [fault["line"] for fault in verdict["faults"]]) == (200, lines)
    body = {"content": wrong, "expected_version": 1, "applied_by": "a test"}
    status, problem = await system.operate("POST", "/v1/configurations", body)
    assert (status, problem["title"]) == (422, "Configuration refused")
    assert problem["errors"] == [
        {"pointer": "/content", "line": line, "detail": f"there is no rep 'no-{rep}'"}
        for line, rep in zip(lines, ("anna", "ben"), strict=True)
    ]
    assert (await system.operate("GET", "/v1/configurations/running"))[1]["version"] == 1


async def test_operators_are_told_what_they_may_not_and_what_is_not_there(system: System) -> None:
    """401 without the token, 404 and 409 in sentences."""
    for path in ("/v1/configurations", "/v1/configurations/running", "/v1/leads/export"):
        async with system.http.get(system.url(ROUTER, path)) as answer:
            assert answer.status == 401
    status, problem = await system.operate("GET", "/v1/configurations/7")
    assert (status, problem["detail"]) == (404, "There is no version 7: `relance history` lists them.")
    body = {"to": 1, "expected_version": 4, "applied_by": "a test"}
    assert (await system.operate("POST", "/v1/configurations/rollback", body))[0] == 200, "it runs already"
    await system.apply_routing(routing(system.endpoints, {"sales": ["anna"]}))
    status, problem = await system.operate("POST", "/v1/configurations/rollback", body)
    assert status == 409
    assert "Version 2 runs, applied by a test" in problem["detail"]


async def test_a_configuration_for_a_thousand_reps_is_taken(system: System) -> None:
    """It is larger than any lead may be."""
    reps = [f"rep-{number}" for number in range(1000)]
    large = routing(system.endpoints, {"sales": reps})
    assert len(large) > 64 * 1024
    await system.apply_routing(large)
    assert (await system.told(await system.post_lead(fields={"team": "sales"}))).data["rep"] in reps


async def test_leads_are_exported_for_rehearsals_without_anybody_s_name(system: System) -> None:
    """What rules may ask, who had it, and how it went."""
    secret = {"name": "Zebulon Quux", "email": "zebulon@quux.example", "phone": "+493087654321"}
    lead_id = await system.post_lead(**secret, fields={"team": "sales", "budget": "20k"})
    told = await system.told(lead_id)
    await system.answer(told, "decline", "not mine")
    second = await system.told(lead_id, times=2)
    await system.answer(second, "contacted")
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    async with system.http.get(system.url(ROUTER, "/v1/leads/export?days=1"), headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
        lines = (await answer.text()).splitlines()
    assert len(lines) == 1
    exported = json.loads(lines[0])
    assert exported["lead_id"] == lead_id
    assert exported["fields"]["fields.budget"] == "20k"
    assert (exported["rule"], exported["team"], exported["rep"]) == ("sales", "sales", told.data["rep"])
    assert (exported["configuration"], exported["declines"], exported["reassignments"]) == (1, 1, 0)
    assert exported["first_response_seconds"] > exported["in_hand_seconds"] > 0
    for word in ("zebulon", "87654321"):
        assert word not in lines[0].lower()


async def test_the_command_line_checks_applies_tells_and_rolls_back(system: System, tmp_path: Path) -> None:
    """In words for people; each command also as a document."""
    file = tmp_path / "new.yaml"
    first = system.routing_file.read_text()
    file.write_text(routing(system.endpoints, {"sales": ["anna"]}))

    nobody_to_ask = await relance(system, "apply", str(file))
    assert nobody_to_ask.returncode == 2
    assert "- id: ben" in nobody_to_ask.stdout
    assert "give --yes" in nobody_to_ask.stderr

    applied = await relance(system, "apply", str(file), "--yes", "--comment", "[HR-7] ben has left")
    assert applied.returncode == 0, applied.stderr
    assert "Version 2 runs" in applied.stdout
    again = await relance(system, "apply", str(file), "--yes")
    assert (again.returncode, again.stdout) == (0, "Nothing to apply: version 2 is the same, and runs.\n")
    same = await relance(system, "diff", str(file))
    assert (same.returncode, same.stdout) == (0, f"{file} is what runs: version 2.\n")

    shown = await relance(system, "show", "1")
    assert (shown.returncode, shown.stdout) == (0, first)
    assert (await document(system, "show"))["content"] == file.read_text()

    rolled_back = await document(system, "rollback", "--yes", "--comment", "ben is back")
    assert (rolled_back["applied"], rolled_back["version"], rolled_back["rolled_back_to"]) == (True, 3, 1)
    assert (await system.operate("GET", "/v1/configurations/running"))[1]["content"] == first

    history = await relance(system, "history")
    assert history.returncode == 0, history.stderr
    words = [line for line in history.stdout.splitlines() if "olga" in line]
    assert ["back to 1: ben is back" in words[0], "[HR-7] ben has left" in words[1]] == [True, True]
    listed = (await document(system, "history"))["versions"]
    assert [(each["version"], each["applied_by"]) for each in listed] == [(3, "olga"), (2, "olga"), (1, "router")]
    assert (await document(system, "diff", str(file)))["running"] == 3


async def test_the_command_line_says_no_and_why(system: System, tmp_path: Path) -> None:
    """Exit status 1 for no, 2 when nobody could be asked."""
    file = tmp_path / "wrong.yaml"
    right = routing(system.endpoints, {"sales": ["anna"]})
    file.write_text(right.replace("rep: anna", "rep: nobody"))
    (line,) = [number for number, text in enumerate(right.splitlines(), 1) if "rep: anna" in text]
    refused = await relance(system, "apply", str(file), "--yes")
    assert (refused.returncode, refused.stdout) == (1, f"{file}:{line}: there is no rep 'nobody'\n")
    faults = (await document(system, "check", str(file), status=1))["faults"]
    assert faults == [{"line": line, "reason": "there is no rep 'nobody'", "severity": "error"}]

    file.write_text(right)
    late = await relance(system, "apply", str(file), "--yes", "--expect", "7")
    assert late.returncode == 1
    assert "Version 1 runs" in late.stderr
    first = await relance(system, "rollback", "--yes")
    assert (first.returncode, "nothing to roll back to" in first.stderr) == (1, True)
    missing = await document(system, "show", "9", status=1)
    assert missing["error"] == "There is no version 9: `relance history` lists them."

    stranger = await relance(system, "history", token="somebody else's")
    assert (stranger.returncode, "RELANCE_OPERATOR_TOKEN" in stranger.stderr) == (2, True)
    await system.services.running[ROUTER].stop()
    away = await relance(system, "history")
    assert (away.returncode, "cannot be reached" in away.stderr) == (2, True)


async def test_at_a_terminal_the_operator_is_asked(system: System, tmp_path: Path) -> None:
    """After the difference was shown; whoever says no has changed nothing."""
    file = tmp_path / "new.yaml"
    file.write_text(routing(system.endpoints, {"sales": ["anna"]}))
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, b"n\n")
        refused = await relance(system, "apply", str(file), terminal=terminal)
        assert (refused.returncode, "Nothing was applied." in refused.stderr) == (1, True)
        os.write(keyboard, b"y\n")
        applied = await relance(system, "apply", str(file), terminal=terminal)
        assert (applied.returncode, "Version 2 runs" in applied.stdout) == (0, True)
    finally:
        os.close(keyboard)
        os.close(terminal)


async def test_a_router_does_not_start_with_a_wrong_first_file(system: System) -> None:
    """Exit status 2, with every line; a database that has a version needs no file."""
    system.routing_file.write_text("nonsense: 1\n")
    await system.services.start_replica(ROUTER, "second-router")
    await system.rows("DROP TRIGGER never_changed ON router.configurations", role="router")
    await system.rows("DELETE FROM router.configurations", role="router")
    await system.services.running[ROUTER].stop()
    process = system.services._launch(ROUTER, "third-router", "serve")
    assert await process.ended() == 2
    assert f"{system.routing_file}:1: nonsense" in process.tail()
