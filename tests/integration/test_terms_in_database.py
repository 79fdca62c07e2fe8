"""Promises of clocks whose terms change, that the database keeps."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.integration.conftest import OpenDatabase
from tests.integration.test_clocks_in_database import MINUTE, OFFICE, Monitor, answered, assigned
from tests.integration.test_figures import counted

from relance.calendars import Calendar
from relance.events import AssignmentMade, AssignmentTermsChanged, EscalationStep, SkippedStep, StepFired
from relance.events.assignment import Hold
from relance_local.conditions import wait_until
from relance_sla_monitor.board.reading import read_facts
from relance_sla_monitor.board.view import board
from relance_sla_monitor.timeline import read_timelines

HOUR = 60 * MINUTE
UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture
def monitor(open_database: OpenDatabase) -> Monitor:
    """One monitor."""
    return Monitor(open_database("sla"))


def changed(made: AssignmentMade, after: timedelta, revision: int = 1, **terms: Any) -> AssignmentTermsChanged:
    """The assignment's terms, with some that are others from that long after it."""
    same = made.model_dump(include=set(AssignmentTermsChanged.model_fields) & set(AssignmentMade.model_fields))
    return AssignmentTermsChanged.model_validate(
        {**same, "revision": revision, "changed_at": made.assigned_at + after, "because": "configuration", **terms}
    )


async def test_a_hold_over_the_deadline_fires_nothing_and_the_release_fires_on_time(monitor: Monitor) -> None:
    """What is left of the window runs from the release on; the timers' memory hears of it at once."""
    made = assigned(HOUR)
    since = made.assigned_at + 4 * MINUTE
    await monitor.handle(made, changed(made, 4 * MINUTE, holds=[Hold(since=since)], because="held"))
    await monitor.fire()
    assert await monitor.rows("SELECT * FROM steps") == []
    (clock,) = await monitor.rows("SELECT deadline, breached, on_hold FROM reporting.clocks")
    assert clock == {"deadline": None, "breached": False, "on_hold": True}
    now = datetime.now(UTC)
    # Released so long ago that the reminder, a minute of work after it, is due in half a second.
    until = now - 59.5 * MINUTE / 60
    hold = Hold(since=since, until=until)
    await monitor.handle(changed(made, until - made.assigned_at, 2, holds=[hold], because="released"))
    monitor.timers.look_again()

    async def fired() -> bool:
        await monitor.timers.fire_due()
        return bool(await monitor.rows("SELECT * FROM steps"))

    await wait_until(fired, what="the reminder", limit=timedelta(seconds=30))
    (step,) = await monitor.rows("SELECT step, due_at, fired_at >= due_at AS not_before FROM steps")
    assert step == {"step": "remind", "due_at": until + MINUTE, "not_before": True}


async def test_terms_that_change_while_replicas_fire_fire_each_step_once(
    monitor: Monitor, open_database: OpenDatabase
) -> None:
    """Reminders are out or not when windows shrink and grow: each step has one row, and one event of it."""
    leads = [assigned(6 * MINUTE) for _ in range(100)]
    await monitor.handle(*leads)
    replicas = [Monitor(open_database("sla")) for _ in range(2)]

    async def change() -> None:
        for revision, window in enumerate((20 * MINUTE, 5 * MINUTE, 7 * MINUTE), start=1):
            await monitor.handle(*(changed(made, 5.5 * MINUTE, revision, response_window=window) for made in leads))

    async def fire_all(each: Monitor) -> None:
        while await each.rows("SELECT 1 FROM clocks WHERE next_due_at <= now() OR revision < 3"):
            await each.fire()

    await asyncio.gather(change(), *(fire_all(each) for each in replicas))
    assert await monitor.rows("SELECT step, count(*) AS count FROM steps GROUP BY step ORDER BY step") == [
        {"step": "breach", "count": 100},
        {"step": "remind", "count": 100},
    ]
    (counts,) = await monitor.rows(
        "SELECT (SELECT count(*) FROM steps) = count(*) AS each, count(DISTINCT payload) = count(*) AS once FROM outbox"
    )
    assert counts == {"each": True, "once": True}


async def test_an_answer_heard_of_late_gives_the_clock_that_it_would_have_given_in_time(monitor: Monitor) -> None:
    """Also when calendar, window and holds have changed since; and hearing any of it again changes nothing."""
    found = []
    for late in (False, True):
        made = assigned(HOUR, calendar=OFFICE, contact_window=HOUR).model_copy(
            update={"assigned_at": datetime(2026, 11, 24, 9, tzinfo=UTC)}
        )
        hold = Hold(since=made.assigned_at + 6 * MINUTE, until=made.assigned_at + 8 * MINUTE)
        first = changed(made, 6 * MINUTE, holds=[hold])
        second = changed(
            made, 10 * MINUTE, 2, holds=[hold], calendar=None, response_window=HOUR, contact_window=2 * HOUR
        )
        answer = answered(made, 9 * MINUTE, "contacted")
        news = (made, first, second, answer) if late else (made, first, answer, second)
        for each in news:
            await monitor.handle(each)
        for each in (second, first, made, answer):
            await monitor.handle(each)
        found.append(
            await monitor.rows(f"""
                SELECT clock, deadline, stopped_at, stopped_by, worked, extended, response_window
                FROM reporting.clocks WHERE assignment_id = '{made.assignment_id}' ORDER BY clock
            """)
        )
    assert found[0] == found[1]
    contact, response = found[0]
    assert (contact["worked"], response["worked"]) == (7 * MINUTE, 7 * MINUTE)
    assert response["deadline"] == datetime(2026, 11, 24, 9, 12, tzinfo=UTC)


async def test_a_window_that_comes_with_a_change_begins_a_clock(monitor: Monitor) -> None:
    """Of the same assignment, for the same rep; it fires its own steps."""
    steps = (EscalationStep(name="call", action="breach", window_fraction=1, delay=timedelta(), clock="contact"),)
    made = assigned(HOUR, window=9 * HOUR)
    await monitor.handle(made, changed(made, MINUTE, contact_window=20 * MINUTE, escalation=steps))
    await monitor.fire()
    (clock,) = await monitor.rows("SELECT rep, source, deadline FROM reporting.clocks WHERE clock = 'contact'")
    assert clock == {"rep": "anna", "source": "website", "deadline": made.assigned_at + 20 * MINUTE}
    assert await monitor.rows("SELECT clock, step FROM steps") == [{"clock": "contact", "step": "call"}]


async def test_a_change_of_an_unknown_assignment_is_left_alone(monitor: Monitor) -> None:
    """It says so in the log, and nothing else happens."""
    await monitor.handle(changed(assigned(HOUR), MINUTE))
    assert await monitor.rows("SELECT * FROM clocks") == []


async def test_a_repeated_step_says_whom_it_tells_each_time(monitor: Monitor) -> None:
    """An event for each occurrence, with its contacts and ways."""
    nag = EscalationStep(
        name="nag", action="notify", window_fraction=1, delay=timedelta(), to=("head",), via=("slack", "email"),
        repeat_every=15 * MINUTE, repeat_times=3,
    )  # fmt: skip
    await monitor.handle(assigned(45 * MINUTE, escalation=(nag,)))
    await monitor.fire()
    events = [
        StepFired.model_validate_json(row["payload"])
        for row in await monitor.rows("SELECT payload FROM outbox ORDER BY id")
    ]
    assert [(each.occurrence, each.to, each.via) for each in events] == [
        (occurrence, ("head",), ("slack", "email")) for occurrence in (1, 2, 3)
    ]
    assert await monitor.rows("SELECT occurrence FROM reporting.steps ORDER BY occurrence") == [
        {"occurrence": occurrence} for occurrence in (1, 2, 3)
    ]


async def test_a_reminder_that_was_skipped_is_on_record_with_the_reason_and_comes_again(monitor: Monitor) -> None:
    """At its new time, which here is at once; reports count it once, as it was told once."""
    made = assigned(6 * MINUTE)
    await monitor.handle(made)
    await monitor.fire()
    (first,) = await monitor.rows("SELECT due_at FROM steps WHERE step = 'remind'")
    skipped = SkippedStep(clock="response", step="remind", occurrence=1, due_at=first["due_at"])
    now = datetime.now(UTC) - made.assigned_at
    change = changed(made, now, response_window=11 * MINUTE, because="extended", skipped=[skipped])
    for _ in range(2):
        await monitor.handle(change)
        await monitor.fire()
    assert await monitor.rows("SELECT due_at FROM reporting.steps WHERE step = 'remind'") == [
        {"due_at": change.changed_at}
    ]
    ((lead,),) = [await read_timelines(monitor.database, [made.lead_id])]
    ((clock,),) = [each.clocks for each in lead.assignments]
    assert [(step.step, step.due_at, step.skipped) for step in clock.fired] == [
        ("remind", first["due_at"], "extended"),
        ("remind", change.changed_at, None),
    ]
    assert len(await monitor.rows("SELECT 1 FROM outbox")) == 2


async def test_a_clock_that_was_at_risk_and_is_given_more_time_is_in_time_until_it_is_at_risk_again(
    monitor: Monitor,
) -> None:
    """It counts once each time: while it has time left not at all."""
    risk = EscalationStep(name="risk", action="at_risk", window_fraction=0.1, delay=timedelta())
    made = assigned(3 * MINUTE, escalation=(risk,))

    async def open_clocks() -> list[float]:
        await monitor.fire()
        found = await counted(monitor)
        return [found[f"open {state}"] for state in ("in_time", "at_risk", "breached")]

    await monitor.handle(made)
    assert await open_clocks() == [0, 1, 0]
    await monitor.handle(changed(made, 2 * MINUTE, response_window=HOUR))
    assert await open_clocks() == [1, 0, 0]
    await monitor.handle(changed(made, 2.5 * MINUTE, 2, response_window=10 * MINUTE))
    assert await open_clocks() == [0, 1, 0]
    await monitor.handle(answered(made, 3 * MINUTE))
    assert await open_clocks() == [0, 0, 0]


async def test_a_lead_is_taken_from_who_does_not_contact_or_judge_it(monitor: Monitor) -> None:
    """A reassign step works on each clock."""
    steps = tuple(
        EscalationStep(name=f"next-{name}", action="reassign", window_fraction=1, delay=timedelta(), clock=name)
        for name in ("contact", "disposition")
    )
    made = assigned(HOUR, contact_window=20 * MINUTE, disposition_window=30 * MINUTE, escalation=steps)
    await monitor.handle(made, answered(made, MINUTE))
    await monitor.fire()
    fired = await monitor.rows("SELECT clock, action FROM steps ORDER BY clock")
    assert fired == [{"clock": "contact", "action": "reassign"}, {"clock": "disposition", "action": "reassign"}]


async def test_a_calendar_that_never_opens_runs_and_breaches_nothing(monitor: Monitor) -> None:
    """A mistake in a team's calendar; once it is mended, the clock counts in the new one."""
    never = Calendar(id="never", zone="Europe/Berlin", hours={})
    made = assigned(HOUR, calendar=never)
    await monitor.handle(made)
    await monitor.fire()
    (clock,) = await monitor.rows("SELECT deadline, breached FROM reporting.clocks")
    assert clock == {"deadline": made.assigned_at + timedelta(days=3660), "breached": False}
    await monitor.handle(changed(made, 30 * MINUTE, calendar=None))
    await monitor.fire()
    (clock,) = await monitor.rows("SELECT deadline, breached FROM reporting.clocks")
    assert clock == {"deadline": made.assigned_at + 30 * MINUTE, "breached": True}
    assert {row["step"] for row in await monitor.rows("SELECT step FROM steps")} == {"remind", "breach", "reassign"}


async def test_what_is_on_hold_is_neither_at_risk_nor_breached_on_any_figure(monitor: Monitor) -> None:
    """It had been called at risk before; prometheus, board and scorecards agree."""
    steps = (EscalationStep(name="risk", action="at_risk", window_fraction=0.1, delay=timedelta()),)
    held, running = (assigned(5 * MINUTE, escalation=steps) for _ in range(2))
    await monitor.handle(held, running)
    await monitor.fire()
    before = await counted(monitor)
    assert (before["open at_risk"], before["open on_hold"]) == (2, 0)
    hold = Hold(since=held.assigned_at + 4 * MINUTE)
    await monitor.handle(changed(held, 4 * MINUTE, holds=[hold], because="held"))
    found = await counted(monitor)
    assert [found[f"open {state}"] for state in ("in_time", "at_risk", "breached", "on_hold")] == [0, 1, 0, 1]
    facts = await read_facts(monitor.database, UTC_ZONE)
    assert [(each.open, each.at_risk, each.overdue, each.on_hold) for each in facts.standings] == [(2, 1, 0, 1)]
    assert [row.state for row in board(facts, None, UTC_ZONE).rows] == ["at_risk", "on_hold"]
    await monitor.handle(answered(held, 5 * MINUTE))
    (card,) = await monitor.rows(f"""
        SELECT in_window, never_answered, response_seconds, extended
        FROM reporting.scorecard_leads WHERE lead_id = '{held.lead_id}'
    """)
    assert card == {"in_window": True, "never_answered": False, "response_seconds": 240, "extended": False}
    assert (await counted(monitor))["windows_kept_total"] == 1


async def test_what_a_lead_is_at_risk_from_moves_with_its_terms(monitor: Monitor) -> None:
    """Later when its window is extended, and never when its new policy has no such step."""
    steps = (EscalationStep(name="risk", action="at_risk", window_fraction=0.5, delay=timedelta()),)
    made = assigned(4 * MINUTE, escalation=steps)

    async def risk_at() -> datetime | None:
        (lead,) = (await read_facts(monitor.database, UTC_ZONE)).urgent
        return lead.risk_at

    await monitor.handle(made)
    assert await risk_at() == made.assigned_at + made.response_window / 2
    more = {"response": HOUR - made.response_window}
    await monitor.handle(changed(made, MINUTE, response_window=HOUR, extended=more, because="extended"))
    assert await risk_at() == made.assigned_at + HOUR / 2
    await monitor.handle(changed(made, 2 * MINUTE, 2, response_window=HOUR, extended=more, escalation=()))
    assert await risk_at() is None


async def test_whatever_is_heard_of_late_breaches_never_become_fewer(monitor: Monitor) -> None:
    """To Prometheus a falling counter is one that began anew."""
    extended, held, answered_late = (assigned(12 * MINUTE) for _ in range(3))
    more = {"response": 50 * MINUTE}
    news = (
        answered(answered_late, 11 * MINUTE),
        changed(extended, 9 * MINUTE, response_window=HOUR, extended=more, because="extended"),
        changed(held, 9 * MINUTE, holds=[Hold(since=held.assigned_at + 9 * MINUTE)], because="held"),
        changed(answered_late, 8 * MINUTE, response_window=HOUR),
        answered(answered_late, 7 * MINUTE),
        changed(extended, 11 * MINUTE, 2, response_window=MINUTE, extended=more),
        answered(held, 11 * MINUTE),
    )
    await monitor.handle(extended, held, answered_late)
    await monitor.fire()
    breaches = [(await counted(monitor))["windows_breached_total"]]
    for each in news:
        await monitor.handle(each)
        await monitor.fire()
        breaches.append((await counted(monitor))["windows_breached_total"])
    assert breaches == sorted(breaches)
    assert breaches[0] == 3
    assert await monitor.rows("SELECT lead_id FROM reporting.scorecard_leads WHERE extended") == [
        {"lead_id": extended.lead_id}
    ]
