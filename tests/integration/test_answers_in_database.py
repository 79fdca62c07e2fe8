"""Promises of recorded answers and dispositions that the database keeps."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.integration.router_harness import TEAM, Router
from tests.system import Endpoints, routing

from relance.ids import AssignmentId, new_id
from relance_local.services import ROUTER
from relance_router.answers.assignments import UnknownAssignment
from relance_router.answers.recording import AnswerRecorder, AnswerTaken
from relance_router.domain.answers import Recorded, Refused, Repeated
from relance_router.domain.dispositions import Judgement
from relance_router.domain.reasons import BadReason

EVENTS = "SELECT payload FROM outbox WHERE type = 'relance.disposition.recorded.v1' ORDER BY id"
ACCEPTED = Judgement("accepted")
SPAM = Judgement("rejected", "spam", "a bot wrote this")


@pytest.fixture
async def router(open_database: OpenDatabase) -> Router:
    """A router with one team of three."""
    made = Router(open_database(ROUTER))
    await made.apply(routing(Endpoints(), {"sales": TEAM}))
    return made


async def assigned(router: Router, answer: str = "contacted") -> AssignmentId:
    """An assignment that was answered."""
    (lead,) = await router.leads(1)
    assignment = AssignmentId((await router.owner(lead.lead_id))["id"])
    if answer in {"acknowledged", "contacted"}:
        await router.recorder.record(assignment, "acknowledged" if answer == "acknowledged" else "contacted", None)
    return assignment


async def open_leads(router: Router) -> int:
    (row,) = await router.rows("SELECT coalesce(sum(open_leads), 0) AS count FROM reps")
    return int(row["count"])


async def test_each_change_is_one_row_and_one_event_and_the_newest_counts(router: Router) -> None:
    """The history stays; the rep's own words stay in the table."""
    assignment = await assigned(router)
    verdicts = [
        (await router.recorder.dispose(assignment, said)).verdict
        for said in (SPAM, SPAM, ACCEPTED, ACCEPTED, Judgement("lost", "price"), ACCEPTED, SPAM)
    ]
    kinds = [type(verdict) for verdict in verdicts]
    assert kinds == [Recorded, Repeated, Recorded, Repeated, Recorded, Repeated, Refused]
    assert await router.rows("SELECT sequence, disposition, reason, note FROM dispositions ORDER BY sequence") == [
        {"sequence": 1, "disposition": "rejected", "reason": "spam", "note": "a bot wrote this"},
        {"sequence": 2, "disposition": "accepted", "reason": None, "note": None},
        {"sequence": 3, "disposition": "lost", "reason": "price", "note": None},
    ]
    newest = await router.rows("SELECT disposition, reason, team, source FROM reporting.dispositions WHERE newest")
    assert newest == [{"disposition": "lost", "reason": "price", "team": "sales", "source": "website"}]
    (stands,) = await router.rows("SELECT id, rep, state, disposition FROM assignments")
    assert (stands["state"], stands["disposition"]) == ("contacted", "lost")
    events = [json.loads(row["payload"]) for row in await router.rows(EVENTS)]
    assert [(event["disposition"], event["reason"]) for event in events] == [
        ("rejected", "spam"), ("accepted", None), ("lost", "price"),
    ]  # fmt: skip
    assert events[0].keys() == {
        "assignment_id", "lead_id", "rep", "team", "source", "channel", "campaign", "disposition", "reason",
        "recorded_at",
    }  # fmt: skip
    assert {event["rep"] for event in events} == {stands["rep"]}


async def test_a_lead_leaves_the_reps_hands_once_however_it_leaves(router: Router) -> None:
    """Rejected while acknowledged makes room; accepted again takes it back; contacted frees nothing twice."""
    assignment = await assigned(router, "acknowledged")
    held = []
    for step in (SPAM, ACCEPTED, SPAM, "contacted", ACCEPTED, Judgement("won")):
        if isinstance(step, Judgement):
            taken = await router.recorder.dispose(assignment, step)
        else:
            taken = await router.recorder.record(assignment, "contacted", None)
        assert isinstance(taken.verdict, Recorded), step
        held.append(await open_leads(router))
        await router.books()
    assert held == [0, 1, 0, 0, 0, 0]


async def test_whoever_waits_for_a_free_rep_is_told_exactly_when_one_is(router: Router) -> None:
    """Unrouted leads are tried again when a rep has one less in hand."""
    told: list[str | None] = []
    recorder = AnswerRecorder(router.database, router.versions, router.recorder._assigner, new_id, told.append)
    assignment = await assigned(router, "open")
    await recorder.record(assignment, "acknowledged", None)
    await recorder.dispose(assignment, SPAM)
    await recorder.dispose(assignment, SPAM)
    await recorder.record(assignment, "contacted", None)
    await recorder.dispose(assignment, ACCEPTED)
    assert [rep is not None for rep in told] == [False, True, False, False]
    await recorder.record(await assigned(router, "open"), "declined", None, "no_time")
    assert told[-1]


async def test_presses_at_once_are_recorded_once(router: Router) -> None:
    """Ten fingers on one button; and two who contradict each other take turns."""
    assignment = await assigned(router)
    same = await asyncio.gather(*(router.recorder.dispose(assignment, SPAM) for _ in range(10)))
    assert sorted(type(taken.verdict).__name__ for taken in same) == ["Recorded", *["Repeated"] * 9]
    await router.recorder.dispose(assignment, ACCEPTED)
    final = await asyncio.gather(
        *(router.recorder.dispose(assignment, Judgement(said)) for said in ("won", "lost") for _ in range(3))
    )
    counted = [taken for taken in final if isinstance(taken.verdict, Recorded)]
    assert len(counted) == 1
    assert [type(taken.verdict) for taken in final].count(Refused) == 3
    rows = await router.rows("SELECT sequence FROM dispositions ORDER BY sequence")
    assert [row["sequence"] for row in rows] == [1, 2, 3]
    assert len(await router.rows(EVENTS)) == 3
    await router.books()


async def test_a_decline_and_a_rejection_at_once_keep_the_books(router: Router) -> None:
    """Either it is passed on and nothing is said of it, or it is judged and stays."""
    assignments = [await assigned(router, "acknowledged") for _ in range(12)]

    async def decline(assignment: AssignmentId) -> AnswerTaken:
        return await router.recorder.record(assignment, "declined", None)

    taken = await asyncio.gather(
        *(decline(each) for each in assignments), *(router.recorder.dispose(each, SPAM) for each in assignments)
    )
    for declined, rejected in zip(taken[:12], taken[12:], strict=True):
        assert {type(declined.verdict), type(rejected.verdict)} == {Recorded, Refused}
    await router.books()


async def test_a_decline_keeps_its_reason_from_the_list_and_the_reps_words(router: Router) -> None:
    """The one is counted, the other is read, here alone: events are kept for ever."""
    assignment = await assigned(router, "open")
    await router.recorder.record(assignment, "declined", "lives in Vienna", "wrong_territory")
    assert await router.rows("SELECT reason, code FROM answers") == [
        {"reason": "lives in Vienna", "code": "wrong_territory"}
    ]
    (event,) = await router.rows("SELECT payload FROM outbox WHERE type = 'relance.response.recorded.v1'")
    assert "Vienna" not in event["payload"]
    with pytest.raises(BadReason):
        await router.recorder.record(assignment, "declined", None, "spam")
    with pytest.raises(UnknownAssignment):
        await router.recorder.dispose(AssignmentId(new_id()), ACCEPTED)


async def test_looking_waits_for_nobody(router: Router) -> None:
    """The page opens while a batch holds the lead's lock, and shows what was committed."""
    assignment = await assigned(router)
    await router.rows("UPDATE assignments SET why = 'your turn' RETURNING id")
    async with router.database.transaction() as connection:
        await connection.execute(text("SELECT FROM assignments JOIN leads ON leads.id = lead_id FOR UPDATE"))
        await connection.execute(text("UPDATE assignments SET state = 'open'"))
        seen: Any = await asyncio.wait_for(router.recorder.look(assignment), 4)
    assert (seen.state, seen.why, seen.disposition) == ("contacted", "your turn", None)
    assert seen.respond_by > seen.now
    with pytest.raises(UnknownAssignment):
        await router.recorder.look(AssignmentId(new_id()))
