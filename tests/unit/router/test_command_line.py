"""Promises of what `relance` does without a router."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import pytest
from tests.unit.router.company import MONDAY_NOON
from typer.testing import CliRunner, Result
from typing_extensions import override

from relance.ids import new_id
from relance_router.command_line import app
from relance_router.command_line.output import difference
from relance_router.command_line.rehearsal_view import comparison_document, show_comparison
from relance_router.configuration.routing_file import parse
from relance_router.domain.past_leads import PastLead
from relance_router.domain.simulation import compare, of_the_past, simulate
from relance_router.terms.documents import TermsView

ROUTING = Path(__file__).parents[3] / "deploy" / "config" / "routing.yaml"
LEAD = UUID(int=4711)


@pytest.fixture(autouse=True)
def _nobody_s_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RELANCE_URL", "RELANCE_OPERATOR_TOKEN", "RELANCE_OPERATOR"):
        monkeypatch.delenv(name, raising=False)


def relance(*arguments: str | Path | UUID) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_file_that_we_ship_is_right_and_its_rules_are_listed() -> None:
    """In their order, with the fallback last."""
    done = relance("check", ROUTING)
    assert done.exit_code == 0, done.output
    assert done.stdout.index("dach-calls") < done.stdout.index("dach-forms") < done.stdout.index("all others")
    assert json.loads(relance("check", ROUTING, "--json").stdout)["holds"]["reps"] == 3


def test_every_fault_stands_in_a_line_of_its_own_that_an_editor_can_follow(tmp_path: Path) -> None:
    """`file:line: reason`, however long the line gets."""
    file = tmp_path / f"{'long' * 30}.yaml"
    file.write_text(ROUTING.read_text().replace("team: dach", "team: [mars]").replace("rep: chloe", "rep: zoe"))
    done = relance("check", file)
    assert done.exit_code == 1
    found = done.stdout.splitlines()
    assert found
    assert all(line.startswith(f"{file}:") for line in found)
    document = json.loads(relance("check", file, "--json").stdout)
    assert [f"{file}:{fault['line']}: {fault['reason']}" for fault in document["faults"]] == found


def test_what_cannot_be_asked_is_said_with_what_to_do(tmp_path: Path) -> None:
    """Exit status 2: a file that is not there, a token that is not given, a router that is not there."""
    missing = relance("check", tmp_path / "missing.yaml")
    assert (missing.exit_code, "cannot be read" in missing.stderr) == (2, True)
    tokenless = relance("history")
    assert (tokenless.exit_code, "RELANCE_OPERATOR_TOKEN" in tokenless.stderr) == (2, True)
    away = relance("apply", ROUTING, "--yes", "--token", "t", "--url", "http://127.0.0.1:9")
    assert (away.exit_code, "--url or RELANCE_URL" in away.stderr) == (2, True)
    assert (
        "cannot be reached"
        in json.loads(relance("history", "--json", "--token", "t", "--url", "http://127.0.0.1:9").stdout)["error"]
    )


class _Forgetful(BaseHTTPRequestHandler):
    """Reads the first order and hangs up; answers the ones after it."""

    keys: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.append(self.headers["Idempotency-Key"])
        if len(self.keys) == 1:
            return
        document = TermsView(
            lead_id=LEAD, assignment_id=LEAD, rep="anna", team="sales", revision=1, on_hold=False, hold_until=None,
            respond_by=None, contact_by=None, disposition_by=None,
        ).model_dump_json().encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)

    @override
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_an_order_without_an_answer_is_sent_again_with_its_key_and_the_next_has_another() -> None:
    """Nobody knows whether it was carried out: with its key it is, once."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Forgetful) as server, ThreadPoolExecutor() as threads:
        threads.submit(server.serve_forever)
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            for _ in range(2):
                done = relance("extend", LEAD, "30m", "--because", "w", "--by", "m", "--token", "t", "--url", url)
                assert (done.exit_code, "anna has 30m more" in done.stdout) == (0, True), done.output
        finally:
            server.shutdown()
    lost, again, other = _Forgetful.keys
    assert (lost == again, lost == other, bool(lost)) == (True, False, True)
    away = relance("extend", LEAD, "30m", "--because", "w", "--by", "m", "--token", "t", "--url", "http://127.0.0.1:9")
    assert (away.exit_code, "whether it was done" in " ".join(away.stderr.split())) == (2, True)


def test_a_simulation_asks_nobody_and_says_what_it_does_not_know() -> None:
    """In tables for people; a file with faults has none."""
    arguments = ("--count", "200", "--days", "3", "--begin", "2026-11-23")
    shown = relance("simulate", ROUTING, *arguments)
    assert shown.exit_code == 0, shown.output
    assert "200 leads: " in shown.stdout
    assert "does not know" in shown.stdout
    first, again = (json.loads(relance("simulate", ROUTING, *arguments, "--json").stdout) for _ in range(2))
    assert first == again
    assert sum(first["by_rule"].values()) + first["joined"] == 200
    assert {each["rep"] for each in first["shares"]} == {"anna", "ben", "chloe"}


def came(*person_keys: str, known: bool = True) -> PastLead:
    """A lead of the past that its rep has not answered."""
    return PastLead(
        lead_id=new_id(), received_at=MONDAY_NOON, identity="x", person_keys=person_keys if known else None,
        fields={"source": "website"}, rule=None, team=None, rep=None, configuration=None, assigned_at=None,
        first_response_seconds=None, in_hand_seconds=None, declines=0, reassignments=0,
    )  # fmt: skip


def test_a_rehearsal_says_which_leads_would_join_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And of how many nobody knows whether they would; a plan says what changes."""
    past = [came("anna"), *(came("anna") for _ in range(22)), came("ben"), came(known=False)]
    names = [str(each.lead_id) for each in past]
    leads = tmp_path / "leads.ndjson"
    leads.write_text("".join(f"{each.model_dump_json()}\n" for each in past))
    file, apart = ROUTING, tmp_path / "routing.yaml"
    apart.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith("same_person:")))
    report = json.loads(relance("simulate", file, "--leads", leads, "--json").stdout)
    assert (report["assigned"] + report["waiting"], report["joined"], report["keys_unknown"]) == (3, 22, 1)
    assert report["joins"] == [{"lead": name, "joined": names[0]} for name in names[1:23]]
    shown = relance("simulate", file, "--leads", leads).stdout
    assert "22 joined another" in shown
    assert "And 2 more" in shown
    assert "are not known, as they or their file are of old: 1." in shown

    rehearsed = [of_the_past(each) for each in past]
    before, after = (simulate(parse(each.read_text(), "x"), rehearsed, seed=1) for each in (apart, file))
    compared = compare(before, after)
    joins = comparison_document(compared, rehearsed)["joins"]
    assert joins == [{"lead": name, "before": None, "after": names[0]} for name in names[1:23]]
    show_comparison(compared, before, after, rehearsed)
    told = capsys.readouterr().out
    assert "Joined another lead: 0 before, 22 after." in told
    assert "are not known, as they or their file are of old: 1." in told
    assert names[20] in told


def test_a_plan_needs_somebody_to_ask() -> None:
    """Exit status 2: nobody could be asked."""
    away = relance("plan", ROUTING, "--token", "t", "--url", "http://127.0.0.1:9")
    assert (away.exit_code, "--url or RELANCE_URL" in away.stderr) == (2, True)


def test_a_difference_names_both_sides_and_equal_texts_have_none() -> None:
    """As `diff -u` writes it."""
    assert difference("a\nb\n", "a\nc\n", names=("version 1", "new.yaml")) == [
        "--- version 1", "+++ new.yaml", "@@ -1,2 +1,2 @@", " a", "-b", "+c"
    ]  # fmt: skip
    assert difference("a\n", "a\n", names=("x", "y")) == []
