"""Managers take leads into their own hands: by the command line, as it is."""

from datetime import UTC, datetime, timedelta

from tests.e2e.test_configuration import document, relance
from tests.system import System, routing


async def test_a_manager_extends_holds_releases_and_reassigns_by_the_command_line(system: System) -> None:
    """With who did it and why on record; what cannot be done is said, with exit status 1."""
    quiet = [{"name": "at-risk", "action": "at_risk", "at": "90%"}]
    await system.apply_routing(routing(system.endpoints, {"sales": ["anna", "ben"]}, window="2h", steps=quiet))
    lead_id = await system.post_lead(fields={"team": "sales"})
    former = (await system.told(lead_id)).data["rep"]
    other = "ben" if former == "anna" else "anna"
    why = ("--because", "a fair week", "--by", "maria")

    extended = await relance(system, "extend", lead_id, "30m", *why)
    assert (extended.returncode, f"{former} has 30m more: answer by " in extended.stdout) == (0, True), extended.stderr
    wrong = await relance(system, "extend", lead_id, "soon", *why)
    assert (wrong.returncode, "write it such as" in wrong.stderr) == (1, True)
    no_clock = await relance(system, "extend", lead_id, "30m", "--clock", "contact", *why)
    assert (no_clock.returncode, "No contact clock" in no_clock.stderr) == (1, True)

    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    held = await document(system, "hold", lead_id, "--until", until, *why)
    assert (held["on_hold"], datetime.fromisoformat(held["hold_until"])) == (True, datetime.fromisoformat(until))
    nonsense = await relance(system, "hold", lead_id, "--until", "tomorrow", *why)
    assert (nonsense.returncode, "is no time" in nonsense.stderr) == (2, True)
    released = await relance(system, "release", lead_id, *why)
    assert (released.returncode, "The clocks run again" in released.stdout) == (0, True)

    moved = await relance(system, "reassign", lead_id, "--to", other, *why)
    assert (moved.returncode, moved.stdout) == (
        0,
        f"{other} of team sales has the lead now, and no longer {former}.\n",
    ), moved.stderr
    endpoints = system.endpoints
    await system.until(lambda: bool(endpoints.of_type("lead.taken_away")), "the former rep to be told")
    (taken,) = endpoints.of_type("lead.taken_away")
    assert (taken.endpoint, taken.data["by"]) == (f"rep:{former}", "maria")
    await system.until(lambda: len(endpoints.assignments_of(lead_id)) > 1, "the new rep to be told")
    _, told = endpoints.assignments_of(lead_id)
    assert (told.endpoint, told.data["why"]) == (f"rep:{other}", "maria gave it to you: a fair week")

    again = await relance(system, "reassign", lead_id, "--to", other, *why)
    assert (again.returncode, f"{other} has the lead already" in again.stderr) == (1, True)
    nobody = await relance(system, "reassign", lead_id, *why)
    assert (nobody.returncode, f"it stays with {other}" in nobody.stderr) == (1, True)
    unknown = await relance(system, "reassign", lead_id, "--to", "zoe", *why)
    assert (unknown.returncode, "no rep 'zoe'" in unknown.stderr) == (1, True)
    explained = await relance(system, "explain", lead_id)
    assert f"The lead went to {other} of team sales: maria gave it to you: a fair week." in explained.stdout

    status, done = await system.operate("GET", f"/v1/leads/{lead_id}/interventions")
    assert (status, [each["what"] for each in done["interventions"]]) == (
        200,
        ["extended", "held", "released", "reassigned"],
    )
    assert {(each["by"], each["reason"]) for each in done["interventions"]} == {("maria", "a fair week")}
