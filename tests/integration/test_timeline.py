"""Promises of a lead's timeline, and of spend that is listed and taken back; of the real PostgreSQL."""

import json
from datetime import datetime, timedelta

import pytest
from fastapi import FastAPI
from tests.integration.asgi import ask
from tests.integration.conftest import OpenDatabase
from tests.integration.test_clocks_in_database import Monitor, answered, assigned, disposed

from relance.clock import utc_now
from relance.events import (
    AssignmentEnded,
    AssignmentMade,
    AssignmentTermsChanged,
    EscalationStep,
    Hold,
    LeadJoined,
    LeadSeparated,
    LeadUnrouted,
    StepFired,
)
from relance.http import problems
from relance.ids import LeadId, new_id
from relance_sla_monitor.exports import exports_api
from relance_sla_monitor.scorecards.spend import Spend, put_spend
from relance_sla_monitor.scorecards.spend_api import spend_api
from relance_sla_monitor.timeline import timeline_api

MINUTES = timedelta(minutes=1)


@pytest.fixture
def monitor(open_database: OpenDatabase) -> Monitor:
    """One monitor."""
    return Monitor(open_database("sla"))


@pytest.fixture
def app(monitor: Monitor) -> FastAPI:
    """Its API, for whoever asks."""
    made = FastAPI()
    problems.install(made)
    made.include_router(timeline_api(monitor.database, lambda: None))
    made.include_router(exports_api(monitor.database, lambda: None))
    made.include_router(spend_api(monitor.database, lambda: None, lambda: None))
    return made


def unrouted(lead_id: LeadId) -> LeadUnrouted:
    """Nobody could be given it just now."""
    return LeadUnrouted(
        lead_id=lead_id, source="ads", channel="call", campaign=None, received_at=utc_now() - MINUTES,
        unrouted_at=utc_now(), reason="nobody works",
    )  # fmt: skip


def joined(lead_id: LeadId) -> LeadJoined:
    """The same person came again, by an advertisement."""
    return LeadJoined(
        lead_id=LeadId(new_id()), joined=lead_id, source="ads", channel="form", campaign="spring",
        recognised_by=("email",), received_at=utc_now() - MINUTES, joined_at=utc_now() - MINUTES,
    )  # fmt: skip


async def test_one_document_says_what_happened_with_a_lead(monitor: Monitor, app: FastAPI) -> None:
    """Who had it, what fired and how late, what is to come, what stopped it; and when nobody has it."""
    first = assigned(12 * MINUTES)
    await monitor.handle(first)
    await monitor.fire()
    ended = AssignmentEnded(
        assignment_id=first.assignment_id, lead_id=first.lead_id, rep="anna", reason="declined",
        ended_at=first.assigned_at + 11 * MINUTES,
    )  # fmt: skip
    again = assigned(6 * MINUTES, 10 * MINUTES, contact_window=60 * MINUTES).model_copy(
        update={"lead_id": first.lead_id, "ordinal": 2, "rep": "ben", "received_at": first.received_at}
    )
    await monitor.handle(ended, again)
    await monitor.fire()
    status, body = await ask(app, f"/v1/leads/{first.lead_id}/clocks")
    assert status == 200
    document = json.loads(body)
    assert (document["source"], document["unrouted_since"]) == ("website", None)
    anna, ben = document["assignments"]
    assert (anna["rep"], ben["rep"]) == ("anna", "ben")
    (response,) = anna["clocks"]
    assert (response["state"], response["stopped_by"], response["worked_seconds"]) == ("late", "declined", 660)
    assert [step["step"] for step in response["fired"]] == ["remind", "breach"]
    assert 420 <= response["fired"][0]["late_seconds"] < 480
    assert response["to_come"] == []
    assert [each["cause"] for each in anna["heard"]] == ["declined"]
    response, contact = ben["clocks"]
    assert (response["state"], response["window_seconds"], contact["clock"]) == ("running", 600, "contact")
    assert [step["step"] for step in response["fired"]] == ["remind"]
    assert [(step["step"], step["fired_at"]) for step in response["to_come"]] == [("breach", None), ("reassign", None)]

    await monitor.handle(answered(again, MINUTES), disposed(again, 2 * MINUTES, "accepted"))
    _, ben = json.loads((await ask(app, f"/v1/leads/{first.lead_id}/clocks"))[1])["assignments"]
    assert [clock["state"] for clock in ben["clocks"]] == ["kept", "kept"]
    assert [clock["stopped_by"] for clock in ben["clocks"]] == ["acknowledged", "accepted"]
    assert ben["disposition"] == "accepted"


@pytest.mark.parametrize("together", [False, True])
async def test_what_was_to_come_goes_on_with_the_next_rep_until_somebody_answers_or_a_manager_moves_it(
    monitor: Monitor, app: FastAPI, together: bool
) -> None:
    """On the minute, once; whether or not the end and the next begin are heard of in one breath."""
    steps = (
        EscalationStep(name="reassign", action="reassign", window_fraction=1, delay=15 * MINUTES),
        EscalationStep(
            name="director", action="notify", window_fraction=1, delay=20 * MINUTES, to=("director",),
            repeat_every=60 * MINUTES, repeat_times=1,
        ),
    )  # fmt: skip
    ignored, answered_since, moved = (assigned(31 * MINUTES, escalation=steps) for _ in range(3))
    taken, director, again = (ignored.assigned_at + minutes * MINUTES for minutes in (25, 30, 90))
    ends, begins = list[AssignmentEnded](), list[AssignmentMade]()
    for made, by in ((ignored, None), (answered_since, None), (moved, "mia")):
        about = {"assignment_id": made.assignment_id, "lead_id": made.lead_id, "rep": "anna", "reason": "reassigned"}
        ends.append(AssignmentEnded.model_validate({**about, "ended_at": taken, "by": by}))
        told = {"lead_id": made.lead_id, "assigned_at": taken, "ordinal": 2, "rep": "ben"}
        begins.append(assigned(0 * MINUTES, escalation=steps).model_copy(update=told))
    await monitor.handle(ignored, answered_since, moved)
    if together:
        await monitor.handle(*ends, *begins)
    else:
        await monitor.handle(*ends)
        await monitor.handle(*begins)
    await monitor.handle(answered(begins[1], MINUTES))
    for _ in range(2):
        await monitor.fire()

    (event,) = await monitor.rows("SELECT payload FROM outbox")
    fired = StepFired.model_validate_json(event["payload"])
    assert (fired.assignment_id, fired.rep, fired.step, fired.occurrence) == (
        begins[0].assignment_id, "ben", "director", 1,
    )  # fmt: skip
    assert (fired.due_at, fired.passed_on, fired.to) == (director, True, ("director",))
    anna, ben = json.loads((await ask(app, f"/v1/leads/{ignored.lead_id}/clocks"))[1])["assignments"]
    assert anna["clocks"][0]["to_come"] == []
    shown = [(each["step"], each["passed_on"]) for which in ("fired", "to_come") for each in ben["clocks"][0][which]]
    assert shown == [("director", True), ("reassign", False), ("director", True)]
    assert datetime.fromisoformat(ben["clocks"][0]["to_come"][1]["due_at"]) == again
    _, ben = json.loads((await ask(app, f"/v1/leads/{moved.lead_id}/clocks"))[1])["assignments"]
    assert [(each["step"], each["passed_on"]) for each in ben["clocks"][0]["to_come"]] == [
        ("reassign", False), ("director", False), ("director", False),
    ]  # fmt: skip


async def test_what_ended_with_an_erasure_says_so(monitor: Monitor, app: FastAPI) -> None:
    """What was answered or late before stays so; what still ran was neither kept nor taken away."""
    answered_before, late, running = (
        assigned(8 * MINUTES, contact_window=60 * MINUTES),
        assigned(12 * MINUTES),
        assigned(2 * MINUTES),
    )
    await monitor.handle(answered_before, late, running)
    await monitor.handle(answered(answered_before, 2 * MINUTES))
    await monitor.handle(
        *(
            AssignmentEnded(
                assignment_id=made.assignment_id, lead_id=made.lead_id, rep="anna", reason="erased", ended_at=utc_now(),
            )
            for made in (answered_before, late, running)
        )
    )  # fmt: skip
    states = []
    for made in (answered_before, late, running):
        (assignment,) = json.loads((await ask(app, f"/v1/leads/{made.lead_id}/clocks"))[1])["assignments"]
        states.append({clock["clock"]: clock["state"] for clock in assignment["clocks"]})
    assert states == [{"response": "kept", "contact": "erased"}, {"response": "late"}, {"response": "erased"}]


async def test_changed_terms_are_told_with_those_that_ran_before(monitor: Monitor, app: FastAPI) -> None:
    """A hold without an end has no deadline; what had fired stays."""
    made = assigned(6 * MINUTES)
    await monitor.handle(made)
    await monitor.fire()
    same = ("assignment_id", "lead_id", "rep", "team", "response_window", "escalation", "configuration")
    now = {"revision": 1, "changed_at": utc_now(), "because": "held", "holds": (Hold(since=utc_now(), until=None),)}
    await monitor.handle(AssignmentTermsChanged(**{name: getattr(made, name) for name in same}, **now))
    (assignment,) = json.loads((await ask(app, f"/v1/leads/{made.lead_id}/clocks"))[1])["assignments"]
    (clock,) = assignment["clocks"]
    assert (clock["state"], clock["deadline"], clock["holds"][0]["until"]) == ("on_hold", None, None)
    assert [step["step"] for step in clock["fired"]] == ["remind"]
    (former,) = clock["former"]
    assert former["deadline"] == (made.assigned_at + made.response_window).isoformat().replace("+00:00", "Z")


async def test_a_lead_that_nobody_has_says_since_when_and_an_unknown_one_is_not_found(
    monitor: Monitor, app: FastAPI
) -> None:
    """Until somebody is given it."""
    lead = LeadId(new_id())
    said = unrouted(lead)
    await monitor.handle(said)
    document = json.loads((await ask(app, f"/v1/leads/{lead}/clocks"))[1])
    assert (document["assignments"], document["channel"]) == ([], "call")
    assert document["unrouted_since"] == said.unrouted_at.isoformat().replace("+00:00", "Z")
    await monitor.handle(assigned(timedelta()).model_copy(update={"lead_id": lead}))
    document = json.loads((await ask(app, f"/v1/leads/{lead}/clocks"))[1])
    assert (document["unrouted_since"], len(document["assignments"])) == (None, 1)
    status, body = await ask(app, f"/v1/leads/{new_id()}/clocks")
    assert (status, json.loads(body)["title"]) == (404, "No such lead")


async def test_spend_is_listed_by_pages_and_taken_back(monitor: Monitor, app: FastAPI) -> None:
    """What was given again keeps its number; what is not there cannot be taken back."""
    given = [
        Spend.model_validate({"source": source, "month": month, "amount": "10.00", "currency": "EUR"})
        for source in ("ads", "fairs")
        for month in ("2026-10", "2026-11")
    ]
    await put_spend(monitor.database, given)
    listed = json.loads((await ask(app, "/v1/spend", "source=ads&limit=1"))[1])
    assert [(each["from"], each["until"], each["amount"]) for each in listed["spend"]] == [
        ("2026-10-01", "2026-11-01", "10.00")
    ]
    following = json.loads((await ask(app, *listed["next"].split("?")))[1])
    assert ([each["from"] for each in following["spend"]], following["next"]) == (["2026-11-01"], None)
    (first,) = listed["spend"]
    await put_spend(monitor.database, [given[0].model_copy(update={"amount": 12})])
    everything = json.loads((await ask(app, "/v1/spend"))[1])["spend"]
    assert {each["id"]: each["amount"] for each in everything}[first["id"]] == "12.00"
    assert (await ask(app, f"/v1/spend/{first['id']}", method="DELETE"))[0] == 204
    assert (await ask(app, f"/v1/spend/{first['id']}", method="DELETE"))[0] == 404
    assert len(json.loads((await ask(app, "/v1/spend"))[1])["spend"]) == 3


async def test_a_lead_shows_its_touches_and_a_touch_what_it_joined(monitor: Monitor, app: FastAPI) -> None:
    """A touch has no owner and no clock of its own; separated, it is a lead like any other, and both still say so."""
    owned = assigned(MINUTES)
    touch = joined(owned.lead_id)
    # Heard of before the lead itself.
    await monitor.handle(touch, owned)
    lead = json.loads((await ask(app, f"/v1/leads/{owned.lead_id}/clocks"))[1])
    (shown,) = lead["touches"]
    assert (shown["lead_id"], shown["campaign"], shown["separated_at"]) == (str(touch.lead_id), "spring", None)
    assert lead["touch"] is None
    document = json.loads((await ask(app, f"/v1/leads/{touch.lead_id}/clocks"))[1])
    assert (document["touch"], document["source"]) == (shown, "ads")
    assert (document["assignments"], document["touches"], document["unrouted_since"]) == ([], [], None)

    separated = LeadSeparated(lead_id=touch.lead_id, joined=owned.lead_id, by="mia", separated_at=utc_now())
    await monitor.handle(separated, unrouted(touch.lead_id))
    document = json.loads((await ask(app, f"/v1/leads/{touch.lead_id}/clocks"))[1])
    assert document["unrouted_since"]
    assert document["touch"]["separated_at"] == separated.separated_at.isoformat().replace("+00:00", "Z")


async def test_what_is_said_of_a_touch_counts_whenever_it_is_heard_of(monitor: Monitor) -> None:
    """The separation first, or twice: the touch was one, and is none; it has been counted once."""
    touch = joined(LeadId(new_id()))
    separated = LeadSeparated(lead_id=touch.lead_id, joined=touch.joined, by="mia", separated_at=utc_now())
    for said in ((separated,), (touch,), (touch, separated), (separated, touch)):
        await monitor.handle(*said)
    (found,) = await monitor.rows("SELECT source, joined, separated_at FROM touches")
    assert found == {"source": "ads", "joined": touch.joined, "separated_at": separated.separated_at}
    assert await monitor.rows("SELECT lead_id FROM reporting.scorecard_credits") == []
    assert await monitor.rows("SELECT source, amount FROM tally_changes") == [{"source": "ads", "amount": 1.0}]


async def test_an_export_has_all_that_is_held_of_the_leads_that_are_known(monitor: Monitor, app: FastAPI) -> None:
    """Clocks with their steps, what was heard and said, touches; each lead once, in the order asked for."""
    made, other = assigned(12 * MINUTES), assigned(MINUTES)
    touch = joined(made.lead_id)
    await monitor.handle(made, other, touch)
    await monitor.fire()
    await monitor.handle(answered(made, 11 * MINUTES), disposed(made, 11 * MINUTES, "accepted"))
    wanted = [str(each) for each in (touch.lead_id, made.lead_id, new_id(), made.lead_id)]
    status, body = await ask(app, "/v1/exports", method="POST", body={"lead_ids": wanted})
    assert status == 200
    first, second = json.loads(body)["leads"]
    assert [first["lead_id"], second["lead_id"]] == wanted[:2]
    (assignment,) = second["assignments"]
    assert (assignment["disposition"], len(assignment["clocks"][0]["fired"])) == ("accepted", 2)
    assert (first["touch"], [first["touch"]]) == (second["touches"][0], second["touches"])
    for lead_ids in ([], ["x"], None, [str(new_id())] * 501):
        assert (await ask(app, "/v1/exports", method="POST", body={"lead_ids": lead_ids}))[0] == 422
