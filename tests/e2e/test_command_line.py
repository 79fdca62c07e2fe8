"""Operators rehearse a change, ask why a lead went where it went, and pause a rep: by the command line, as it is."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from tests.e2e.test_configuration import document, relance
from tests.system import Received, System, routing

from relance.calendars.calendar import WEEKDAYS


async def has_owner(system: System, lead_id: str) -> Received:
    """Wait for the lead's owner, who answers at once."""
    told = await system.told(lead_id)
    assert (await system.answer(told, "contacted"))[0] == 200
    return told


def change(differences: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    return {each["name"]: (each["before"], each["after"]) for each in differences}


async def test_a_plan_says_who_gains_and_who_loses_by_the_leads_of_the_last_days(
    system: System, tmp_path: Path
) -> None:
    """With the difference first; a plan changes nothing, and a file with faults has none."""
    for lead_id in await system.post_leads("sales", 6):
        await has_owner(system, lead_id)
    file = tmp_path / "new.yaml"
    file.write_text(routing(system.endpoints, {"sales": ["anna", "ben", "chloe"]}))

    planned = await document(system, "plan", str(file))
    assert planned["leads"] == 6
    assert change(planned["reps"]) == {"chloe": (0, 2), "anna": (3, 2), "ben": (3, 2)}
    assert change(planned["rules"]) == {"sales": (6, 6)}
    assert change(planned["windows_missed"]) == {}
    assert planned["before"]["windows_kept"] == planned["after"]["windows_kept"] == 6
    assert planned["moved"] > 0
    assert "+- id: chloe" in planned["diff"]
    shown = await relance(system, "plan", str(file), "--days", "1")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.index("+- id: chloe") < shown.stdout.index("of 6 leads would have gone to another rep")
    assert "does not know" in shown.stdout
    assert (await system.operate("GET", "/v1/configurations/running"))[1]["version"] == 1

    away = {"anna": {"available": False}, "ben": {"available": False}}
    file.write_text(routing(system.endpoints, {"sales": ["anna", "ben"]}, reps=away))
    held = await document(system, "plan", str(file))
    assert (change(held["held"]), held["after"]["waiting"]) == ({"sales": (0, 6)}, 6)

    file.write_text(file.read_text().replace("rep: ben", "rep: nobody"))
    wrong = await relance(system, "plan", str(file))
    assert (wrong.returncode, "there is no rep 'nobody'" in wrong.stdout) == (1, True)
    same = await relance(system, "plan", str(system.routing_file))
    assert (same.returncode, same.stdout) == (0, f"{system.routing_file} is what runs: version 1.\n")


async def test_a_simulation_needs_no_router_and_is_the_same_each_time(system: System, tmp_path: Path) -> None:
    """By its seed; also with leads that were exported."""
    arguments = ("simulate", str(system.routing_file), "--count", "2000", "--begin", "2026-11-23")
    reports = [await document(system, *arguments, "--seed", seed) for seed in ("1", "1", "2")]
    assert reports[0] == reports[1]
    assert reports[0] != reports[2]
    assert (reports[0]["leads"], reports[0]["assigned"] + reports[0]["waiting"]) == (2000, 2000)

    await system.told(await system.post_lead(fields={"team": "sales"}))
    _, exported = await system.operate("GET", "/v1/leads/export")
    file = tmp_path / "leads.ndjson"
    file.write_text(f"{json.dumps(exported)}\n")
    report = await document(system, "simulate", str(system.routing_file), "--leads", str(file))
    assert report["by_rule"] == {"sales": 1}
    file.write_text("no lead\n")
    wrong = await relance(system, "simulate", str(system.routing_file), "--leads", str(file))
    assert (wrong.returncode, f"{file}:1:" in wrong.stderr) == (2, True)


async def test_a_lead_is_explained_whether_it_has_an_owner_or_waits(system: System) -> None:
    """In words and as a table; what was decided is decided again, to the same answer."""
    lead_id = await system.post_lead(fields={"team": "sales"})
    rep = (await system.told(lead_id)).data["rep"]
    explained = await relance(system, "explain", lead_id)
    assert explained.returncode == 0, explained.stderr
    assert "Rule sales fits." in explained.stdout
    assert f"The lead went to {rep} of team sales" in explained.stdout
    assert "Made again from what was stored, it is the same." in explained.stdout

    for name in ("anna", "ben"):
        assert (await relance(system, "pause", name, "--because", "a fair")).returncode == 0
    held = await system.post_lead(fields={"team": "sales"})
    await system.wait_for_rows("SELECT 1 FROM reporting.unrouted WHERE lead_id = $1", held)
    explained = await relance(system, "explain", held)
    assert "The lead waits, until that changes: nobody who fits is available." in explained.stdout
    assert "paused: a fair" in explained.stdout
    (decision,) = (await document(system, "explain", held))["decisions"]
    assert (decision["decision"]["outcome"], decision["same_when_made_again"]) == ("held", True)
    unknown = await relance(system, "explain", "00000000-0000-0000-0000-000000000000")
    assert (unknown.returncode, "no lead" in unknown.stderr) == (1, True)


async def test_a_paused_rep_gets_no_lead_until_resumed_and_then_those_that_waited(system: System) -> None:
    """The rep and the manager are told of both."""
    paused = await relance(system, "pause", "anna", "--because", "at the dentist")
    assert (paused.returncode, "anna is paused: at the dentist" in paused.stdout) == (0, True)
    owners = [(await system.told(lead)).data["rep"] for lead in await system.post_leads("sales", 4)]
    assert owners == ["ben"] * 4
    listed = await relance(system, "reps")
    (row,) = [line for line in listed.stdout.splitlines() if "anna" in line]
    assert "paused: at the dentist" in row

    assert (await document(system, "pause", "ben", "--because", "lunch"))["paused"] == "lunch"
    waits = await system.post_lead(fields={"team": "sales"})
    await system.wait_for_rows("SELECT 1 FROM reporting.unrouted WHERE lead_id = $1", waits)
    resumed = await relance(system, "resume", "anna")
    assert (resumed.returncode, resumed.stdout) == (0, "anna takes leads again.\n")
    assert (await system.told(waits)).data["rep"] == "anna"
    assert {each["rep"]: each["available"] for each in await document(system, "reps")} == {"anna": True, "ben": False}

    told_of = (("rep.paused", "anna"), ("rep.paused", "ben"), ("rep.resumed", "anna"))
    expected = {(*what, endpoint) for what in told_of for endpoint in (f"rep:{what[1]}", "manager:sales")}
    await system.until(
        lambda: (
            {(each.type, each.data["rep"], each.endpoint) for each in system.endpoints.received if "rep" in each.data}
            >= expected
        ),
        "the reps and the manager to be told",
    )
    about_pauses = [each for each in system.endpoints.received if each.type in {"rep.paused", "rep.resumed"}]
    assert len(about_pauses) == len(expected)
    nobody = await relance(system, "pause", "nobody", "--because", "x")
    assert (nobody.returncode, "relance reps" in nobody.stderr) == (1, True)


async def test_a_lead_that_comes_while_all_are_closed_waits_for_the_opening_or_for_other_hours(system: System) -> None:
    """It stands until a known moment, and goes out at once when a configuration says that somebody works now."""
    now = datetime.now(UTC)
    day = now.date() + timedelta(days=2)
    await system.apply_routing(with_hours(system, {WEEKDAYS[day.weekday()]: "09:00-17:00"}))
    lead_id = await system.post_lead(fields={"team": "sales"})
    (stands,) = await system.wait_for_rows("SELECT reason, until FROM reporting.unrouted WHERE lead_id = $1", lead_id)
    assert (stands["reason"], stands["until"]) == (
        "nobody_available",
        datetime(day.year, day.month, day.day, 9, tzinfo=UTC),
    )
    assert system.endpoints.assignments_of(lead_id) == []
    await system.apply_routing(with_hours(system, dict.fromkeys(WEEKDAYS, "00:00-24:00")))
    assert (await system.told(lead_id)).data["rep"] == "anna"
    assert await system.rows("SELECT 1 FROM reporting.unrouted") == []


def with_hours(system: System, hours: Mapping[str, str]) -> str:
    """A routing.yaml with one rep, who works in these hours."""
    written = yaml.safe_load(routing(system.endpoints, {"sales": ["anna"]}, reps={"anna": {"calendar": "office"}}))
    return yaml.safe_dump({**written, "calendars": [{"id": "office", "zone": "UTC", "hours": dict(hours)}]})
