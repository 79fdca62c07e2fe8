"""Promises of clocks whose terms change: against an oracle that knows everything, and by example."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.shared.calendar_oracle import MINUTE, Written, calendars_and_moments

from relance.calendars import Calendar, next_opening
from relance.events import AssignmentMade, AssignmentTermsChanged, EscalationStep, SkippedStep
from relance.events.assignment import ClockName, Hold
from relance.ids import AssignmentId, LeadId
from relance_sla_monitor.domain.clocks import (
    STOPPED_BY,
    Clock,
    StopCause,
    Terms,
    breach_withdrawn,
    change_terms,
    fire,
    missing,
    settle,
    start,
)

BEGUN = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR = 60 * MINUTE
HORIZON = timedelta(days=4)
"""How far the oracle walks."""
CLOCKS: tuple[ClockName, ...] = get_args(ClockName)
POLICY = (
    EscalationStep(name="remind", action="remind_rep", window_fraction=0.5, delay=timedelta()),
    EscalationStep(name="breach", action="breach", window_fraction=1, delay=timedelta()),
    EscalationStep(
        name="nag", action="notify", window_fraction=1, delay=timedelta(), to=("head",), via=("email",),
        repeat_every=15 * MINUTE, repeat_times=2,
    ),
)  # fmt: skip


def made_at(begun: datetime, **terms: object) -> AssignmentMade:
    return AssignmentMade.model_validate(
        {
            "assignment_id": AssignmentId(UUID(int=1)), "lead_id": LeadId(UUID(int=2)), "ordinal": 1, "rep": "anna",
            "team": "dach", "rule": "r", "source": "website", "channel": "form", "campaign": None,
            "received_at": begun, "assigned_at": begun, "response_window": HOUR, "escalation": POLICY,
            "configuration": 1, **terms,
        }
    )  # fmt: skip


def changed(made: AssignmentMade, after: timedelta, revision: int = 1, **terms: object) -> AssignmentTermsChanged:
    """The terms of the assignment, with some that are others."""
    same = made.model_dump(include=set(AssignmentTermsChanged.model_fields) & set(AssignmentMade.model_fields))
    return AssignmentTermsChanged.model_validate(
        {**same, "revision": revision, "changed_at": made.assigned_at + after, "because": "configuration", **terms}
    )


def response_clock(made: AssignmentMade) -> Clock:
    return start(made)[0]


def test_a_step_that_was_skipped_fires_again_at_its_new_time_and_no_other_does() -> None:
    """Only the one that was under way: what was told before stays told. On hold it waits for the release."""
    made = made_at(BEGUN)
    clock, (reminder,) = fire(response_clock(made), BEGUN + HOUR / 2)
    overtaken = SkippedStep(clock="response", step="remind", occurrence=1, due_at=reminder.due_at)
    extended = changed(made, 31 * MINUTE, response_window=2 * HOUR)
    assert [step.name for step in fire(change_terms(clock, extended), BEGUN + HOUR)[1]] == []
    again = change_terms(clock, extended.model_copy(update={"skipped": (overtaken,)}))
    assert (again.fired, again.next_due_at) == (0, BEGUN + HOUR)
    at_once = change_terms(clock, changed(made, 40 * MINUTE, response_window=HOUR, skipped=[overtaken]))
    assert at_once.next_due_at == BEGUN + 40 * MINUTE
    others = [overtaken.model_copy(update={"clock": "contact"}), overtaken.model_copy(update={"due_at": BEGUN})]
    assert change_terms(clock, changed(made, 31 * MINUTE, skipped=others)).fired == 1
    since = BEGUN + 31 * MINUTE
    held = change_terms(clock, changed(made, 31 * MINUTE, holds=[Hold(since=since)], skipped=[overtaken]))
    assert (held.fired, held.next_due_at) == (0, None)
    released = changed(made, HOUR, 2, holds=[Hold(since=since, until=BEGUN + HOUR)])
    assert change_terms(held, released).next_due_at == BEGUN + HOUR


def due(clock: Clock) -> list[tuple[str, int, int]]:
    """Name, occurrence and minute of each step."""
    return [(*step.key, (step.due_at - clock.started_at) // MINUTE) for step in clock.steps]


# Against the oracle


@dataclass(frozen=True)
class Said:
    """Terms as they are told, in minutes from the begin of the assignment."""

    at: int
    windows: dict[ClockName, int]
    holds: list[tuple[int, int | None]]
    all_time: bool
    renamed: bool


@st.composite
def holds(draw: st.DrawFn) -> list[tuple[int, int | None]]:
    """Up to two, apart from each other; the last perhaps without an end."""
    edges = sorted(draw(st.sets(st.integers(-30, 900), max_size=4)))
    pairs: list[tuple[int, int | None]] = list(zip(edges[::2], edges[1::2], strict=False))
    without_end = draw(st.booleans())
    if pairs and without_end:
        pairs[-1] = (pairs[-1][0], None)
    return pairs


minutes = st.integers(1, 600)
windows = st.fixed_dictionaries({"response": minutes}, optional={"contact": minutes, "disposition": minutes})
said = st.builds(
    Said, at=st.integers(0, 900), windows=windows, holds=holds(), all_time=st.booleans(), renamed=st.booleans()
)
stops = st.dictionaries(st.sampled_from(sorted(set().union(*STOPPED_BY.values()))), st.integers(-10, 1200), max_size=3)


class Oracle:
    """Knows everything that was ever said, in its order, and counts minute by minute."""

    def __init__(self, written: Written, begun: datetime) -> None:
        self.begun = begun
        self.all = [begun + at * MINUTE for at in range(HORIZON // MINUTE)]
        self.open = written.open_minutes(begun, begun + HORIZON)

    def counting(self, terms: Said) -> list[datetime]:
        held = [(self.begun + a * MINUTE, None if b is None else self.begun + b * MINUTE) for a, b in terms.holds]
        return [
            minute
            for minute in (self.all if terms.all_time else self.open)
            if not any(since <= minute and (until is None or minute < until) for since, until in held)
        ]

    def deadline(self, terms: Said, name: ClockName) -> datetime | None:
        counting, window = self.counting(terms), terms.windows[name]
        if window <= len(counting):
            return max(counting[window - 1] + MINUTE, self.begun + terms.at * MINUTE)
        return None if terms.holds and terms.holds[-1][1] is None else self.begun + HORIZON

    def outcome(self, name: ClockName, history: Sequence[Said], heard: dict[StopCause, datetime]) -> object:
        """Deadline (none beyond the horizon), stop, time worked, and whether it was kept."""
        stop = min((at for cause, at in heard.items() if cause in STOPPED_BY[name]), default=None)
        first, *later = (terms for terms in history if name in terms.windows)
        terms, deadline = first, self.deadline(first, name)
        for change in later:
            moment = self.begun + change.at * MINUTE
            if (stop is None or moment <= stop) and (deadline is None or moment < deadline):
                terms, deadline = change, self.deadline(change, name)
        worked = None if stop is None else MINUTE * sum(minute < stop for minute in self.counting(terms))
        return deadline, stop, worked, stop is not None and (deadline is None or stop <= deadline)


News = AssignmentMade | AssignmentTermsChanged | tuple[StopCause, datetime] | datetime
"""A promise, a change, a stop; a moment is a look of the timers."""


class Told:
    """A monitor in memory that hears of things as they come."""

    def __init__(self) -> None:
        self.clocks: dict[ClockName, Clock] = {}
        self.stops: dict[StopCause, datetime] = {}
        self.fired: list[tuple[ClockName, str, int]] = []

    def hear(self, news: News) -> None:
        if isinstance(news, datetime):
            for name, clock in self.clocks.items():
                self.clocks[name], steps = fire(clock, news)
                assert all(step.due_at <= news for step in steps)
                self.fired += [(name, *step.key) for step in steps]
            return
        if isinstance(news, AssignmentMade):
            self.clocks = {clock.name: clock for clock in start(news)}
        elif isinstance(news, AssignmentTermsChanged):
            self.clocks |= {clock.name: clock for clock in missing(list(self.clocks.values()), news)}
            self.clocks = {name: change_terms(clock, news) for name, clock in self.clocks.items()}
        else:
            self.stops[news[0]] = news[1]
        self.clocks = {name: settle(clock, self.stops) for name, clock in self.clocks.items()}


@settings(max_examples=80)
@given(calendars_and_moments(), st.lists(said, min_size=1, max_size=4), stops, st.data())
def test_whatever_order_topics_come_in_clocks_are_those_of_an_oracle_that_knows_everything(
    case: tuple[Written, datetime], told: list[Said], heard: dict[StopCause, int], data: st.DataObject
) -> None:
    """Deadline, stop, time worked, kept; repeated changes and timers in between alter nothing, no step fires twice."""
    written, begun = case
    # The first is how the assignment was made: without holds, at once.
    first = Said(0, told[0].windows, [], told[0].all_time, told[0].renamed)
    history = [first, *sorted(told[1:], key=lambda each: each.at)]
    events = [_event(each, revision, written, begun) for revision, each in enumerate(history)]
    answers = {cause: begun + at * MINUTE for cause, at in heard.items()}
    repeated = [event for event in events[1:] for _ in range(data.draw(st.integers(1, 2)))]
    topics: list[list[News]] = [[events[0], *repeated], data.draw(st.permutations(list(answers.items())))]
    looks = sorted(data.draw(st.lists(st.integers(0, 1500), max_size=4)))
    topics.append([begun + at * MINUTE for at in looks])

    monitor = Told()
    while any(topics):
        monitor.hear(data.draw(st.sampled_from([topic for topic in topics if topic])).pop(0))

    assert len(monitor.fired) == len(set(monitor.fired))
    oracle = Oracle(written, begun)
    assert monitor.clocks.keys() == {name for each in history for name in each.windows}
    for name, clock in monitor.clocks.items():
        over = clock.deadline and min(clock.deadline, begun + HORIZON)
        found = over, clock.stopped_at, clock.worked, clock.kept
        assert found == oracle.outcome(name, history, answers)
        assert [step.due_at for step in clock.steps[clock.fired :]] == sorted(
            step.due_at for step in clock.steps[clock.fired :]
        )


def _event(terms: Said, revision: int, written: Written, begun: datetime) -> AssignmentMade | AssignmentTermsChanged:
    policy = [
        step.model_copy(update={"clock": name, "name": f"{step.name}-{revision}" if terms.renamed else step.name})
        for name in CLOCKS
        for step in POLICY
    ]
    shared = {
        "calendar": None if terms.all_time else written.calendar(),
        "contact_window": None,
        "disposition_window": None,
        **{f"{name}_window": window * MINUTE for name, window in terms.windows.items()},
        "escalation": policy,
    }
    if revision == 0:
        return made_at(begun, **shared)
    held = [
        Hold(since=begun + since * MINUTE, until=None if until is None else begun + until * MINUTE)
        for since, until in terms.holds
    ]
    return changed(made_at(begun), terms.at * MINUTE, revision, holds=held, **shared)


# By example


def test_a_longer_window_moves_what_has_not_fired_and_nothing_that_has() -> None:
    """The reminder was sent at half an hour, and is not sent again."""
    made = made_at(BEGUN)
    clock, _ = fire(response_clock(made), BEGUN + 30 * MINUTE)
    extended = changed(made, 40 * MINUTE, response_window=2 * HOUR, extended={"response": HOUR}, because="extended")
    longer = change_terms(clock, extended)
    assert (longer.deadline, longer.terms.extended) == (BEGUN + 2 * HOUR, HOUR)
    assert due(longer) == [("remind", 1, 30), ("breach", 1, 120), ("nag", 1, 120), ("nag", 2, 135), ("nag", 3, 150)]
    assert longer.next_due_at == BEGUN + 2 * HOUR


def test_a_shorter_window_moves_nothing_to_before_the_change() -> None:
    """What is newly overdue fires at once, what repeats once and not three times, and the answer then is in time."""
    made = made_at(BEGUN)
    shorter = change_terms(response_clock(made), changed(made, 40 * MINUTE, response_window=10 * MINUTE))
    assert shorter.deadline == BEGUN + 40 * MINUTE
    _, steps = fire(shorter, BEGUN + 40 * MINUTE)
    assert [(step.key, step.due_at) for step in steps] == [
        ((name, occurrence), BEGUN + 40 * MINUTE) for name, occurrence in (("remind", 1), ("breach", 1), ("nag", 3))
    ]
    assert settle(shorter, {"contacted": BEGUN + 40 * MINUTE}).kept


def test_a_clock_that_was_at_risk_and_was_given_a_day_is_at_risk_again_when_most_of_the_day_is_gone() -> None:
    """It tells nobody, so nobody hears of it twice. Terms by which it is at risk now, or on hold, say nothing new."""
    risk = EscalationStep(name="risk", action="at_risk", window_fraction=0.8, delay=timedelta())
    made = made_at(BEGUN, escalation=(risk,))
    clock, _ = fire(response_clock(made), BEGUN + 50 * MINUTE)
    longer = change_terms(
        clock, changed(made, 55 * MINUTE, response_window=25 * HOUR, extended={"response": 24 * HOUR})
    )
    assert (longer.risk_at, longer.next_due_at, longer.fired) == (BEGUN + 20 * HOUR, BEGUN + 20 * HOUR, 0)
    same = change_terms(clock, changed(made, 55 * MINUTE))
    held = change_terms(clock, changed(made, 55 * MINUTE, holds=[Hold(since=BEGUN + 55 * MINUTE)]))
    for each in (same, held):
        assert (each.risk_at, each.next_due_at, each.fired) == (BEGUN + 48 * MINUTE, None, 1)


@pytest.mark.parametrize("after", [60, 61])
def test_nothing_undoes_a_deadline_that_has_passed(after: int) -> None:
    """Neither an extension nor a hold nor another policy."""
    made = made_at(BEGUN)
    clock = response_clock(made)
    late = change_terms(clock, changed(made, after * MINUTE, response_window=9 * HOUR, escalation=()))
    assert (late.terms, late.steps, late.revision) == (clock.terms, clock.steps, 1)


def test_on_hold_without_an_end_nothing_falls_due_and_after_the_release_what_was_left_does() -> None:
    """Twenty minutes had been used; an hour later forty are left."""
    made = made_at(BEGUN)
    since = BEGUN + 20 * MINUTE
    held = change_terms(response_clock(made), changed(made, 20 * MINUTE, holds=[Hold(since=since)], because="held"))
    assert (held.deadline, held.next_due_at) == (None, None)
    assert fire(held, BEGUN + 99 * HOUR) == (held, ())
    hold = Hold(since=since, until=since + HOUR)
    free = change_terms(held, changed(made, 80 * MINUTE, 2, holds=[hold], because="released"))
    assert free.deadline == BEGUN + 2 * HOUR
    assert due(free)[:2] == [("remind", 1, 90), ("breach", 1, 120)]


def test_an_answer_on_hold_is_in_time_and_the_hold_was_no_work() -> None:
    """Whether or not it was known until when."""
    made = made_at(BEGUN)
    since = BEGUN + 20 * MINUTE
    for hold in (Hold(since=since), Hold(since=since, until=since + 9 * HOUR)):
        held = change_terms(response_clock(made), changed(made, 20 * MINUTE, holds=[hold]))
        answered = settle(held, {"acknowledged": BEGUN + 5 * HOUR})
        assert (answered.kept, answered.worked) == (True, 20 * MINUTE)


def test_an_answer_heard_of_after_a_change_that_came_later_counts_by_what_ran_when_it_was_given() -> None:
    """The terms of that moment, for the deadline as for the time worked."""
    made = made_at(BEGUN)
    hold = Hold(since=BEGUN + 10 * MINUTE, until=BEGUN + 30 * MINUTE)
    in_time = settle(response_clock(made), {"acknowledged": BEGUN + 35 * MINUTE})
    heard_late = change_terms(response_clock(made), changed(made, 40 * MINUTE, holds=[hold]))
    heard_late = settle(heard_late, {"acknowledged": BEGUN + 35 * MINUTE})
    assert (heard_late.terms, heard_late.worked) == (in_time.terms, in_time.worked)


def test_a_breach_is_withdrawn_when_more_time_had_been_given_before_it() -> None:
    """Kafka was slow; the extension came before the deadline, and the answer before the new one."""
    made = made_at(BEGUN)
    breached, _ = fire(response_clock(made), BEGUN + HOUR)
    longer = change_terms(breached, changed(made, 59 * MINUTE, response_window=2 * HOUR))
    assert longer.next_due_at == BEGUN + 2 * HOUR + 15 * MINUTE
    assert breach_withdrawn(longer, settle(longer, {"contacted": BEGUN + 90 * MINUTE}))
    assert not breach_withdrawn(longer, settle(longer, {"contacted": BEGUN + 3 * HOUR}))


def test_a_window_that_is_told_no_longer_is_kept_and_one_that_is_new_begins_with_the_assignment() -> None:
    """What was promised stands; what is promised anew is not due before it was said."""
    made = made_at(BEGUN, contact_window=2 * HOUR)
    response, contact = start(made)
    change = changed(made, 30 * MINUTE, contact_window=None, disposition_window=10 * MINUTE)
    assert change_terms(contact, change).terms == contact.terms
    (disposition,) = missing([response, contact], change)
    assert (disposition.started_at, disposition.deadline) == (BEGUN, BEGUN + 30 * MINUTE)


OFFICE = Calendar.model_validate({"id": "office", "zone": "UTC", "hours": {"tue": "09:00-10:00", "wed": "09:00-10:00"}})
NEVER = Calendar(id="never", zone="UTC", hours={})


def test_in_quiet_hours_nobody_is_told_but_of_what_is_urgent_and_nothing_else_waits() -> None:
    """Who is told hears of it when the office opens; the breach is a breach at its time."""
    policy = (
        EscalationStep(name="risk", action="at_risk", window_fraction=0.8, delay=timedelta()),
        EscalationStep(name="remind", action="remind_rep", window_fraction=0.9, delay=timedelta()),
        EscalationStep(name="breach", action="breach", window_fraction=1, delay=timedelta()),
        EscalationStep(name="head", action="notify", window_fraction=1, delay=timedelta(), urgent=True),
        EscalationStep(name="manager", action="notify_manager", window_fraction=1, delay=timedelta()),
        EscalationStep(name="reassign", action="reassign", window_fraction=1, delay=HOUR),
    )
    clock = response_clock(made_at(BEGUN, response_window=10 * HOUR, escalation=policy, quiet_outside=OFFICE))
    next_day = 24 * 60
    assert due(clock) == [
        ("risk", 1, 480), ("breach", 1, 600), ("head", 1, 600), ("reassign", 1, 660), ("remind", 1, next_day),
        ("manager", 1, next_day),
    ]  # fmt: skip
    loud = response_clock(made_at(BEGUN, response_window=10 * HOUR, escalation=policy, quiet_outside=NEVER))
    assert ("remind", 1, 540) in due(loud)


WAKING = Calendar.model_validate(
    {"id": "waking", "zone": "UTC", "hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "08:00-20:00")}
)


@given(st.integers(0, 48 * 60), st.integers(1, 600), st.integers(1, 300), st.integers(1, 20), st.integers(0, 48 * 60))
def test_what_repeats_in_quiet_hours_is_told_once_when_they_end_and_then_every_so_often(
    begin: int, window: int, minutes: int, times: int, later: int
) -> None:
    """The team works all night, its director does not: each is told within waking hours, none early or lost."""
    every = minutes * MINUTE
    nag = EscalationStep(
        name="nag", action="notify", window_fraction=1, delay=timedelta(), to=("head",), repeat_every=every,
        repeat_times=times,
    )  # fmt: skip
    begun = BEGUN + begin * MINUTE
    made = made_at(begun, response_window=window * MINUTE, escalation=(nag,), quiet_outside=WAKING)
    clock = response_clock(made)
    dues = [step.due_at for step in clock.steps]
    assert len(dues) == 1 + times
    assert all(next_opening(WAKING, each) == each for each in dues)
    assert all(second - first >= every for first, second in pairwise(dues))
    assert all(step.due_at >= begun + window * MINUTE + (step.occurrence - 1) * every for step in clock.steps)
    # Under new terms nothing comes twice in one instant either.
    hold = Hold(since=begun, until=begun + HOUR)
    change = changed(made, later * MINUTE, holds=[hold], response_window=HOUR)
    moved = [step.due_at for step in change_terms(clock, change).steps]
    assert len(set(moved)) == len(moved)


def test_a_calendar_that_never_opens_breaches_in_ten_years_and_its_holds_hold() -> None:
    """A mistake in a calendar costs its owner's figures, and no lead."""
    made = made_at(BEGUN, calendar=NEVER)
    assert response_clock(made).deadline == BEGUN + timedelta(days=3660)
    answered = settle(response_clock(made), {"contacted": BEGUN + HOUR})
    assert (answered.kept, answered.worked) == (True, timedelta())
    mended = change_terms(response_clock(made), changed(made, 2 * HOUR, calendar=None))
    assert mended.terms == Terms(HOUR, None, BEGUN + 2 * HOUR)
