"""Promises of clocks that the database keeps: fired once, by any number of replicas, in whatever order news come."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import text
from tests.assignments import assignment_made
from tests.integration.conftest import OpenDatabase

from relance.calendars import Calendar
from relance.database import Database
from relance.events import (
    AssignmentEnded,
    AssignmentMade,
    AssignmentTermsChanged,
    DispositionRecorded,
    Envelope,
    EscalationStep,
    Hold,
    ResponseRecorded,
)
from relance.events.data import EventData
from relance.events.response import Answer, Disposition
from relance.ids import EventId, new_id
from relance_local.conditions import wait_until
from relance_sla_monitor import timers
from relance_sla_monitor.clocks import DUE_SOON, due_soon
from relance_sla_monitor.handler import ClockHandler
from relance_sla_monitor.timers import AHEAD, MOST_AHEAD, Timers

POLICY = (
    EscalationStep(name="remind", action="remind_rep", window_fraction=0.5, delay=timedelta()),
    EscalationStep(name="breach", action="breach", window_fraction=1, delay=timedelta()),
    EscalationStep(name="reassign", action="reassign", window_fraction=1, delay=timedelta(minutes=15)),
)


def envelopes(*data: EventData) -> list[Envelope]:
    """Events, keyed by lead as on their topics."""
    moment = datetime.now(UTC)
    return [Envelope(EventId(new_id()), "t", str(getattr(each, "lead_id")), moment, "", each) for each in data]  # noqa: B009


class Monitor:
    """An SLA monitor without Kafka and HTTP."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.handler = ClockHandler(new_id)
        self.timers = Timers(database, new_id, lambda: None)

    async def handle(self, *data: EventData) -> None:
        async with self.database.transaction() as connection:
            await self.handler(connection, envelopes(*data))

    async def fire(self) -> None:
        """A look, and one batch."""
        self.timers.look_again()
        await self.timers.fire_due()

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.database.transaction() as connection:
            return [dict(row) for row in (await connection.execute(text(query))).mappings()]


def assigned(ago: timedelta, window: timedelta = timedelta(minutes=10), **terms: Any) -> AssignmentMade:
    """An assignment made that long ago."""
    return assignment_made(datetime.now(UTC) - ago, response_window=window, **{"escalation": POLICY, **terms})


def terms(made: AssignmentMade, revision: int, because: str, **changed: Any) -> AssignmentTermsChanged:
    """The terms of an assignment, but for what is changed now."""
    same = ("assignment_id", "lead_id", "rep", "team", "response_window", "contact_window", "disposition_window")
    values = {name: getattr(made, name) for name in (*same, "calendar", "escalation", "quiet_outside", "configuration")}
    now = {
        "revision": revision,
        "changed_at": datetime.now(UTC),
        "because": because,
        "by": "mia",
        "reason": "asked for",
    }
    return AssignmentTermsChanged(**{**values, **now, **changed})


def answered(made: AssignmentMade, after: timedelta, answer: Answer = "acknowledged") -> ResponseRecorded:
    """The rep's answer, that long after the assignment."""
    return ResponseRecorded(
        assignment_id=made.assignment_id,
        lead_id=made.lead_id,
        rep=made.rep,
        answer=answer,
        responded_at=made.assigned_at + after,
    )


def disposed(made: AssignmentMade, after: timedelta, disposition: Disposition) -> DispositionRecorded:
    """Sales' word, that long after the assignment."""
    return DispositionRecorded(
        assignment_id=made.assignment_id,
        lead_id=made.lead_id,
        rep=made.rep,
        team=made.team,
        source=made.source,
        channel=made.channel,
        campaign=None,
        disposition=disposition,
        reason=None,
        recorded_at=made.assigned_at + after,
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
            # What a look found in another's hands is looked for again a second later.
            await each.fire()

    await asyncio.gather(*(fire_all(each) for each in monitors))
    (counts,) = await monitor.rows(
        "SELECT (SELECT count(*) FROM steps) AS steps, (SELECT count(*) FROM outbox) AS events, "
        "(SELECT count(DISTINCT payload) FROM outbox) AS different"
    )
    assert counts == {"steps": 1200, "events": 1200, "different": 1200}


async def test_a_timer_knows_when_something_is_due_next(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sleeps until then, by the database's clock, and no longer than a second."""
    await monitor.handle(assigned(timedelta()))
    assert await monitor.timers.fire_due() <= timedelta(seconds=1)
    monkeypatch.setattr(timers, "LOOK_EVERY", timedelta(days=1))
    monkeypatch.setattr(timers, "AHEAD", timedelta(days=2))
    left = "SELECT next_due_at - clock_timestamp() AS left FROM clocks"
    (before,) = await monitor.rows(left)
    monitor.timers.look_again()
    wait = await monitor.timers.fire_due()
    (after,) = await monitor.rows(left)
    assert after["left"] <= wait <= before["left"]
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
    await monitor.fire()
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
    await monitor.fire()
    assert await monitor.rows("SELECT * FROM steps") == []


HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OFFICE = Calendar.model_validate(
    {
        "id": "office",
        "zone": "Europe/Berlin",
        "hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "09:00-18:00"),
        "holidays": {"country": "DE"},
    }
)


async def test_news_in_any_order_and_any_number_of_times_give_the_same_clocks(monitor: Monitor) -> None:
    """All orders of four events, each in its own batch, each followed by a repetition of one before it."""
    friday = datetime(2026, 11, 27, 16, 50, tzinfo=UTC)
    terms: dict[str, Any] = {
        "calendar": OFFICE,
        "contact_window": HOUR,
        "disposition_window": 20 * HOUR,
    }
    found = set()
    for order in permutations(range(4)):
        made = assigned(timedelta(), window=15 * MINUTE, **terms).model_copy(update={"assigned_at": friday})
        news = (
            made,
            answered(made, 20 * MINUTE),
            disposed(made, 70 * HOUR, "rejected"),
            disposed(made, 69 * HOUR, "rejected"),
        )
        for place, at in enumerate(order):
            await monitor.handle(news[at])
            await monitor.handle(news[order[place // 2]])
        rows = await monitor.rows(f"""
            SELECT clock, deadline, stopped_at, stopped_by, worked FROM clocks
            WHERE assignment_id = '{made.assignment_id}' ORDER BY clock
        """)
        found.add(tuple(tuple(row.values()) for row in rows))
    monday = datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert found == {
        (
            ("contact", monday + 50 * MINUTE, friday + 69 * HOUR, "rejected", 10 * MINUTE + 5 * HOUR + 50 * MINUTE),
            ("disposition", monday + 48 * HOUR + 110 * MINUTE, friday + 69 * HOUR, "rejected", 6 * HOUR),
            ("response", monday + 5 * MINUTE, friday + 20 * MINUTE, "acknowledged", 10 * MINUTE),
        )
    }


async def test_each_clock_fires_its_own_steps(monitor: Monitor) -> None:
    """The rep has acknowledged: the response clock is silent, the contact clock is not."""
    escalation = (
        EscalationStep(name="answer", action="breach", window_fraction=1, delay=timedelta()),
        EscalationStep(name="call", action="breach", window_fraction=1, delay=timedelta(), clock="contact"),
        EscalationStep(name="say", action="breach", window_fraction=1, delay=timedelta(), clock="disposition"),
    )
    made = assigned(HOUR, contact_window=30 * MINUTE, escalation=escalation)
    await monitor.handle(made, answered(made, MINUTE))
    await monitor.fire()
    assert await monitor.rows("SELECT clock, step FROM steps") == [{"clock": "contact", "step": "call"}]
    (event,) = await monitor.rows("SELECT payload FROM outbox")
    assert json.loads(event["payload"])["clock"] == "contact"


async def test_what_is_due_beyond_the_near_future_is_not_read(monitor: Monitor) -> None:
    """Memory grows with what is due soon, not with what is open."""
    await monitor.handle(*(assigned(timedelta(), window=HOUR) for _ in range(50)))
    async with monitor.database.transaction() as connection:
        assert await due_soon(connection, datetime.now(UTC) + AHEAD, MOST_AHEAD) == []
        assert len(await due_soon(connection, datetime.now(UTC) + HOUR, 7)) == 7


async def test_a_message_without_windows_and_calendar_is_still_understood(monitor: Monitor) -> None:
    """What was written before they were known runs one clock, in all time."""
    made = assigned(timedelta())
    old = made.model_dump(mode="json", exclude={"contact_window", "disposition_window", "calendar"})
    for step in old["escalation"]:
        del step["clock"]
    await monitor.handle(AssignmentMade.model_validate(old))
    assert await monitor.rows("SELECT clock, deadline FROM clocks") == [
        {"clock": "response", "deadline": made.assigned_at + 10 * MINUTE}
    ]


async def test_a_batch_that_fails_is_fired_by_the_next_turn(monitor: Monitor) -> None:
    """What was taken from memory and then rolled back is read again, at once."""
    await monitor.handle(assigned(HOUR), assigned(HOUR))
    ids = [new_id()]
    failing = Timers(monitor.database, ids.pop, lambda: None)
    with pytest.raises(IndexError):
        # An outgoing event of the second step has no id.
        await failing.fire_due()
    assert await monitor.rows("SELECT * FROM steps") == []
    ids += [new_id() for _ in range(6)]
    await failing.fire_due()
    assert len(await monitor.rows("SELECT * FROM steps")) == 6


async def test_a_step_that_is_on_record_is_not_told_again_and_keeps_no_other_from_firing(monitor: Monitor) -> None:
    """Whatever made it due again: the clock goes on past it, and so do all others."""
    made = assigned(HOUR)
    await monitor.handle(made)
    await monitor.fire()
    await monitor.rows("UPDATE clocks SET fired = 1, next_due_at = now() RETURNING 1")
    await monitor.handle(assigned(HOUR))
    await monitor.fire()
    (counts,) = await monitor.rows(
        "SELECT (SELECT count(*) FROM steps) AS steps, (SELECT count(*) FROM outbox) AS events, "
        "(SELECT count(*) FROM clocks WHERE next_due_at IS NULL AND fired = 3) AS over"
    )
    assert counts == {"steps": 6, "events": 6, "over": 2}


async def test_what_is_due_and_does_not_fit_into_memory_fires_too(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a long outage: one memory after the other, without waiting for the next look."""
    monkeypatch.setattr(timers, "MOST_AHEAD", 7)
    await monitor.handle(*(assigned(HOUR) for _ in range(20)))
    waits = [await monitor.timers.fire_due() for _ in range(3)]
    assert waits[:2] == [timedelta(), timedelta()]
    assert len(await monitor.rows("SELECT * FROM steps")) == 60


async def test_a_clock_that_another_replica_started_is_found_by_the_next_look(
    monitor: Monitor, open_database: OpenDatabase
) -> None:
    """Nobody nudges this one; it looks by itself."""
    await monitor.fire()
    await Monitor(open_database("sla")).handle(assigned(HOUR))

    async def fired() -> bool:
        wait = await monitor.timers.fire_due()
        assert wait <= timers.LOOK_EVERY
        return bool(await monitor.rows("SELECT * FROM steps"))

    await wait_until(fired, what="the step to fire", limit=timedelta(seconds=30))


async def test_what_is_due_soon_is_read_from_the_index_alone(monitor: Monitor) -> None:
    """However many clocks are open: their rows are not looked at."""
    await monitor.handle(assigned(timedelta(), window=HOUR))
    columns = "lead_id, ordinal, rep, team, source, channel, received_at, started_at, response_window, deadline, steps"
    async with monitor.database.transaction() as connection:
        await connection.execute(
            text(f"""
                INSERT INTO clocks (assignment_id, clock, {columns}, traceparent, next_due_at)
                SELECT gen_random_uuid(), clock, {columns}, traceparent, now() + n * interval '1 second'
                FROM clocks, generate_series(1, 20000) AS n
            """)
        )
        await connection.execute(text("ANALYZE clocks"))
    async with monitor.database.transaction() as connection:
        explained = await connection.execute(
            text(f"EXPLAIN {DUE_SOON}"), {"until": datetime.now(UTC) + AHEAD, "limit": MOST_AHEAD}
        )
        assert any("Index Only Scan using due" in line for line in explained.scalars())


_WHO_WAITS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.mark.parametrize("answer_first", [False, True])
async def test_an_answer_is_not_missed_while_its_clock_is_being_started(
    monitor: Monitor, open_database: OpenDatabase, answer_first: bool
) -> None:
    """Two replicas have the two topics in hand: neither sees yet what the other writes, but one waits for the other."""
    made = assigned(timedelta(minutes=1))
    news: list[EventData] = [made, answered(made, timedelta(seconds=30))]
    first, second = reversed(news) if answer_first else news
    async with asyncio.TaskGroup() as tasks, monitor.database.transaction() as connection:
        await monitor.handler(connection, envelopes(first))
        other = tasks.create_task(Monitor(open_database("sla")).handle(second))
        async with asyncio.timeout(10):
            while not other.done() and not await monitor.rows(_WHO_WAITS):
                pass
    (clock,) = await monitor.rows("SELECT stopped_by FROM clocks")
    assert clock["stopped_by"] == "acknowledged"


async def test_a_change_of_terms_knows_the_answer_that_it_waited_for(
    monitor: Monitor, open_database: OpenDatabase
) -> None:
    """Its time of work leaves out the hold, as if both had come one after the other."""
    made = assigned(timedelta(minutes=5))
    await monitor.handle(made)
    held = AssignmentTermsChanged(
        assignment_id=made.assignment_id, lead_id=made.lead_id, rep=made.rep, team=made.team, revision=1,
        changed_at=made.assigned_at + timedelta(minutes=1), because="held", by="manager",
        response_window=made.response_window, escalation=POLICY, configuration=1,
        holds=(Hold(since=made.assigned_at + timedelta(minutes=1), until=made.assigned_at + timedelta(minutes=3)),),
    )  # fmt: skip
    async with asyncio.TaskGroup() as tasks, monitor.database.transaction() as connection:
        await monitor.handler(connection, envelopes(answered(made, timedelta(minutes=4))))
        other = tasks.create_task(Monitor(open_database("sla")).handle(held))
        async with asyncio.timeout(10):
            while not other.done() and not await monitor.rows(_WHO_WAITS):
                pass
    (clock,) = await monitor.rows("SELECT worked FROM clocks WHERE clock = 'response'")
    assert clock["worked"] == timedelta(minutes=2)
