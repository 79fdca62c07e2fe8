"""Promises of clocks that the database keeps: fired once, by any number of replicas, in whatever order news come."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase

from relance.database import Database
from relance.events import AssignmentEnded, AssignmentMade, Envelope, EscalationStep, ResponseRecorded
from relance.events.data import EventData
from relance.events.response import Answer
from relance.ids import AssignmentId, EventId, LeadId, new_id
from relance_sla_monitor.domain.working_time import AlwaysOpen
from relance_sla_monitor.handler import ClockHandler
from relance_sla_monitor.timers import Timers

POLICY = (
    EscalationStep(name="remind", action="remind_rep", window_fraction=0.5, delay=timedelta()),
    EscalationStep(name="breach", action="breach", window_fraction=1, delay=timedelta()),
    EscalationStep(name="reassign", action="reassign", window_fraction=1, delay=timedelta(minutes=15)),
)


class Monitor:
    """An SLA monitor without Kafka and HTTP."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.handler = ClockHandler(AlwaysOpen(), new_id)
        self.timers = Timers(database, new_id, lambda: None)

    async def handle(self, *data: EventData) -> None:
        events = [Envelope(EventId(new_id()), "t", "t", datetime.now(UTC), "", each) for each in data]
        async with self.database.transaction() as connection:
            await self.handler(connection, events)

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.database.transaction() as connection:
            return [dict(row) for row in (await connection.execute(text(query))).mappings()]


def assigned(ago: timedelta, window: timedelta = timedelta(minutes=10)) -> AssignmentMade:
    """An assignment made that long ago."""
    moment = datetime.now(UTC) - ago
    return AssignmentMade(
        assignment_id=AssignmentId(new_id()),
        lead_id=LeadId(new_id()),
        ordinal=1,
        rep="anna",
        team="sales",
        rule="r",
        source="website",
        channel="form",
        campaign=None,
        received_at=moment,
        assigned_at=moment,
        response_window=window,
        escalation=POLICY,
        configuration=1,
    )


def answered(made: AssignmentMade, after: timedelta, answer: Answer = "acknowledged") -> ResponseRecorded:
    """The rep's answer, that long after the assignment."""
    return ResponseRecorded(
        assignment_id=made.assignment_id,
        lead_id=made.lead_id,
        rep=made.rep,
        answer=answer,
        responded_at=made.assigned_at + after,
    )


@pytest.fixture
def monitor(open_database: OpenDatabase) -> Monitor:
    """One monitor."""
    return Monitor(open_database("sla"))


async def test_replicas_that_fire_at_once_fire_each_step_once(monitor: Monitor, open_database: OpenDatabase) -> None:
    """Four monitors over 1 200 overdue steps; each step has one row and one event."""
    await monitor.handle(*(assigned(timedelta(hours=1)) for _ in range(400)))
    monitors = [monitor, *(Monitor(open_database("sla")) for _ in range(3))]

    async def fire_all(each: Monitor) -> None:
        while await each.rows("SELECT 1 FROM clocks WHERE next_due_at <= now()"):
            await each.timers.fire_due()

    await asyncio.gather(*(fire_all(each) for each in monitors))
    (counts,) = await monitor.rows(
        "SELECT (SELECT count(*) FROM steps) AS steps, (SELECT count(*) FROM outbox) AS events, "
        "(SELECT count(DISTINCT payload) FROM outbox) AS different"
    )
    assert counts == {"steps": 1200, "events": 1200, "different": 1200}


async def test_a_timer_knows_when_something_is_due_next(monitor: Monitor) -> None:
    """It sleeps until then, by the database's clock, and no longer than a second."""
    await monitor.handle(assigned(timedelta(), window=timedelta(seconds=1.8)))
    assert timedelta() < await monitor.timers.fire_due() <= timedelta(seconds=0.9)
    assert await monitor.rows("SELECT * FROM steps") == []


async def test_an_answer_that_is_heard_of_before_its_assignment_stops_the_clock(monitor: Monitor) -> None:
    """Topics are not ordered among each other."""
    made = assigned(timedelta(minutes=2))
    await monitor.handle(answered(made, timedelta(minutes=1)))
    await monitor.handle(made)
    (clock,) = await monitor.rows("SELECT stopped_by, next_due_at FROM clocks")
    assert clock == {"stopped_by": "acknowledged", "next_due_at": None}


async def test_a_breach_is_withdrawn_when_the_answer_had_been_in_time(monitor: Monitor) -> None:
    """Announced, then known better; and only then."""
    in_time, too_late = assigned(timedelta(minutes=11)), assigned(timedelta(minutes=11))
    await monitor.handle(in_time, too_late)
    await monitor.timers.fire_due()
    await monitor.handle(answered(in_time, timedelta(minutes=9)), answered(too_late, timedelta(minutes=10.5)))
    withdrawn = await monitor.rows("SELECT aggregate_id FROM outbox WHERE type = 'relance.sla.breach_withdrawn.v1'")
    assert withdrawn == [{"aggregate_id": str(in_time.lead_id)}]
    breached = await monitor.rows("SELECT lead_id FROM reporting.clocks WHERE breached")
    assert breached == [{"lead_id": too_late.lead_id}]


async def test_the_same_news_twice_change_nothing(monitor: Monitor) -> None:
    """The inbox drops repetitions; the tables would too."""
    made = assigned(timedelta(minutes=6))
    await monitor.handle(made, answered(made, timedelta(minutes=1)))
    before = await monitor.rows("SELECT * FROM clocks")
    ended = AssignmentEnded(
        assignment_id=made.assignment_id,
        lead_id=made.lead_id,
        rep="anna",
        reason="declined",
        ended_at=made.assigned_at + timedelta(minutes=5),
    )
    await monitor.handle(made, answered(made, timedelta(minutes=1)), answered(made, timedelta(minutes=4), "contacted"))
    await monitor.handle(ended)
    assert await monitor.rows("SELECT * FROM clocks") == before
    assert await monitor.timers.fire_due() == timedelta(seconds=1)
    assert await monitor.rows("SELECT * FROM steps") == []
