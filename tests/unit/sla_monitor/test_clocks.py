"""Promises of clocks."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.assignments import assignment_made
from tests.unit.shared.calendar_oracle import MINUTE, Written, calendars_and_moments

from relance.calendars import Calendar
from relance.events import AssignmentMade, EscalationStep
from relance.events.assignment import ClockName
from relance_sla_monitor.domain.clocks import STOPPED_BY, Clock, StopCause, breach_withdrawn, fire, settle, start

BEGUN = datetime(2026, 11, 24, 9, tzinfo=UTC)
WINDOW = timedelta(minutes=10)

policies = st.lists(
    st.builds(
        EscalationStep,
        name=st.uuids().map(str),
        action=st.sampled_from(["remind_rep", "at_risk", "breach", "notify_manager", "reassign"]),
        window_fraction=st.floats(0.01, 3),
        delay=st.timedeltas(timedelta(), timedelta(hours=2)),
    ),
    max_size=6,
).map(tuple)
moments = st.integers(-60, 300).map(lambda minutes: BEGUN + timedelta(minutes=minutes))


CLOCKS: tuple[ClockName, ...] = get_args(ClockName)


def made_with(policy: tuple[EscalationStep, ...]) -> AssignmentMade:
    return assignment_made(BEGUN, response_window=WINDOW, escalation=policy)


def clock_of(policy: tuple[EscalationStep, ...]) -> Clock:
    (clock,) = start(made_with(policy))
    return clock


STANDARD = (
    EscalationStep(name="remind", action="remind_rep", window_fraction=0.5, delay=timedelta()),
    EscalationStep(name="breach", action="breach", window_fraction=1, delay=timedelta()),
    EscalationStep(name="manager", action="notify_manager", window_fraction=1, delay=timedelta()),
    EscalationStep(name="reassign", action="reassign", window_fraction=1, delay=timedelta(minutes=15)),
)


def test_steps_fall_due_at_their_share_of_the_window_and_their_delay() -> None:
    """Half of ten minutes is five; fifteen minutes after the deadline is twenty-five."""
    clock = clock_of(STANDARD)
    assert clock.deadline == BEGUN + WINDOW
    assert [(step.due_at - BEGUN) // timedelta(minutes=1) for step in clock.steps] == [5, 10, 10, 25]
    assert [step.name for step in clock.steps] == ["remind", "breach", "manager", "reassign"]


@given(policies, st.lists(moments, max_size=12))
def test_every_step_fires_once_and_none_before_its_time(
    policy: tuple[EscalationStep, ...], looks: list[datetime]
) -> None:
    """Whenever and however often somebody looks, also when the clock of a replica is behind."""
    clock = clock_of(policy)
    fired: list[str] = []
    for now in looks:
        clock, steps = fire(clock, now)
        assert all(step.due_at <= now for step in steps)
        fired += [step.name for step in steps]
    assert len(fired) == len(set(fired))
    last = max(looks, default=BEGUN)
    assert set(fired) == {step.name for step in clock.steps if looks and step.due_at <= last}
    assert clock.next_due_at == min((step.due_at for step in clock.steps if step.name not in fired), default=None)


@given(policies, moments, moments)
def test_an_answer_stops_the_chain(policy: tuple[EscalationStep, ...], answered: datetime, later: datetime) -> None:
    """Nothing fires after it, and nothing falls due."""
    stopped = settle(clock_of(policy), {"acknowledged": answered})
    assert fire(stopped, later) == (stopped, ())
    assert stopped.next_due_at is None


@given(st.dictionaries(st.sampled_from(["acknowledged", "contacted", "declined", "reassigned"]), moments, min_size=1))
def test_the_earliest_answer_counts_in_whatever_order_answers_are_heard_of(stops: dict[StopCause, datetime]) -> None:
    """Topics have no order among each other."""
    clock = clock_of(STANDARD)
    heard: dict[StopCause, datetime] = {}
    for cause, at in stops.items():
        heard[cause] = at
        clock = settle(clock, heard)
    assert clock.stopped_at == min(stops.values())
    assert clock.kept == (min(stops.values()) <= BEGUN + WINDOW)


def test_a_breach_is_withdrawn_when_the_answer_had_come_in_time() -> None:
    """Kafka was slow, the rep was not."""
    breached, _ = fire(clock_of(STANDARD), BEGUN + WINDOW)
    in_time = settle(breached, {"acknowledged": BEGUN + timedelta(minutes=9)})
    too_late = settle(breached, {"acknowledged": BEGUN + timedelta(minutes=11)})
    assert breach_withdrawn(breached, in_time)
    assert not breach_withdrawn(breached, too_late)
    assert not breach_withdrawn(in_time, settle(in_time, {"acknowledged": BEGUN + timedelta(minutes=8)}))


def test_an_answer_at_the_deadline_is_in_time() -> None:
    """The window includes its end."""
    assert settle(clock_of(STANDARD), {"contacted": BEGUN + WINDOW}).kept


def test_a_window_that_begins_before_the_weekend_is_over_after_it() -> None:
    """Ten minutes on Friday and five on Monday; the escalation's delay is working time too."""
    office = Calendar.model_validate(
        {"id": "office", "zone": "Europe/Berlin", "hours": {"mon": "09:00-18:00", "fri": "09:00-18:00"}}
    )
    friday = datetime(2026, 11, 27, 16, 50, tzinfo=UTC)
    terms = {"assigned_at": friday, "response_window": timedelta(minutes=15), "calendar": office}
    (clock,) = start(made_with(STANDARD).model_copy(update=terms))
    monday = datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert clock.deadline == monday + timedelta(minutes=5)
    assert [step.due_at - monday for step in clock.steps[1:]] == [timedelta(minutes=each) for each in (5, 5, 20)]
    on_saturday = settle(clock, {"acknowledged": friday + timedelta(days=1)})
    assert on_saturday.kept
    assert on_saturday.worked == timedelta(minutes=10)


# Short calendars and windows, so that the oracle walks days and not years; the moments lie in many years and zones.
HORIZON = timedelta(days=4)
causes = st.dictionaries(
    st.sampled_from(
        ["acknowledged", "contacted", "declined", "reassigned", "erased", "accepted", "rejected", "won", "lost"],
    ),
    st.integers(-100, 4000),
)


@settings(max_examples=60)
@given(calendars_and_moments(), st.lists(st.integers(1, 600), min_size=3, max_size=3), causes)
def test_deadlines_steps_and_time_worked_are_those_that_the_oracle_counts(
    case: tuple[Written, datetime], windows: list[int], heard: dict[StopCause, int]
) -> None:
    """Minute by minute, on the wall clock of the calendar's zone, whatever its clocks do."""
    written, begun = case
    policy = tuple(
        EscalationStep(name=name, action="breach", window_fraction=1, delay=MINUTE, clock=name) for name in CLOCKS
    )
    response, contact, disposition = (window * MINUTE for window in windows)
    terms = {
        "assigned_at": begun,
        "response_window": response,
        "contact_window": contact,
        "disposition_window": disposition,
        "calendar": written.calendar(),
    }
    clocks = start(made_with(policy).model_copy(update=terms))
    assert [clock.name for clock in clocks] == list(CLOCKS)
    working = written.open_minutes(begun, begun + HORIZON)
    stops = {cause: begun + minutes * MINUTE for cause, minutes in heard.items()}
    for clock, window in zip(clocks, windows, strict=True):
        if window < len(working):
            assert clock.deadline == working[window - 1] + MINUTE
            assert [step.due_at for step in clock.steps] == [working[window] + MINUTE]
        settled = settle(clock, stops)
        counting = {cause: at for cause, at in stops.items() if cause in STOPPED_BY[clock.name]}
        assert settled.stopped_at == min(counting.values(), default=None)
        if settled.stopped_at:
            assert settled.worked == MINUTE * sum(minute < settled.stopped_at for minute in working)


@pytest.mark.parametrize(
    ("cause", "stopped"),
    [
        ("acknowledged", {"response"}),
        ("contacted", {"response", "contact"}),
        *(
            (cause, set(CLOCKS))
            for cause in ("declined", "reassigned", "erased", "accepted", "rejected", "won", "lost")
        ),
    ],
)
def test_what_is_said_stops_the_clocks_that_wait_for_it(cause: StopCause, stopped: set[str]) -> None:
    """An acknowledgement is no contact; who judges a lead is waited for no longer; a lost lead is nobody's worry."""
    assert {name for name in CLOCKS if cause in STOPPED_BY[name]} == stopped
