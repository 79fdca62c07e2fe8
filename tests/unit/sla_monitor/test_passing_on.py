"""Promises of what goes on when a lead passes from rep to rep."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.shared.calendar_oracle import MINUTE
from tests.unit.sla_monitor.test_changing_terms import BEGUN, HOUR, changed, made_at, response_clock

from relance.calendars import Calendar
from relance.events import AssignmentMade, EscalationStep, Hold, SkippedStep
from relance_sla_monitor.domain.clocks import (
    Clock,
    Step,
    StopCause,
    change_terms,
    fire,
    go_on,
    left_over,
    settle,
)

WINDOW = 10 * MINUTE


def policy(reassign: timedelta, director: timedelta, every: timedelta, times: int) -> tuple[EscalationStep, ...]:
    """Breach and manager at the deadline; then the next rep, and the director: `times` and once."""
    return (
        EscalationStep(name="remind", action="remind_rep", window_fraction=2, delay=10 * HOUR),
        EscalationStep(name="breach", action="breach", window_fraction=1, delay=timedelta()),
        EscalationStep(name="manager", action="notify_manager", window_fraction=1, delay=timedelta()),
        EscalationStep(name="reassign", action="reassign", window_fraction=1, delay=reassign),
        EscalationStep(
            name="director", action="notify", window_fraction=1, delay=director, to=("director",),
            repeat_every=every, repeat_times=times,
        ),
    )  # fmt: skip


STANDARD = policy(15 * MINUTE, HOUR, 30 * MINUTE, 3)


def promised(at: int, steps: Sequence[EscalationStep] = STANDARD, **terms: Any) -> AssignmentMade:
    return made_at(BEGUN + at * MINUTE, response_window=WINDOW, escalation=steps, **terms)


def begun(at: int, steps: Sequence[EscalationStep] = STANDARD) -> Clock:
    return response_clock(promised(at, steps))


def gone_on(at: int, over: Sequence[Step], steps: Sequence[EscalationStep] = STANDARD) -> Clock:
    return go_on(begun(at, steps), over, promised(at, steps))


def ended(clock: Clock, at: int, cause: StopCause = "reassigned") -> Clock:
    moment = BEGUN + at * MINUTE
    fired, _ = fire(clock, moment)
    return settle(fired, {cause: moment})


def left(clock: Clock) -> tuple[Step, ...]:
    """Nothing was said but what stopped it."""
    return left_over(clock, {clock.stopped_by} if clock.stopped_by else set())


def to_come(clock: Clock) -> list[tuple[str, int, int]]:
    """Name, occurrence and minute of what will fire."""
    return [(*step.key, (step.due_at - BEGUN) // MINUTE) for step in clock.steps[clock.fired :]]


@given(
    st.integers(0, 60), st.integers(0, 300), st.integers(1, 60), st.lists(st.integers(0, 5), max_size=8),
    st.integers(0, 400),
)  # fmt: skip
def test_a_lead_that_everybody_ignores_reaches_the_director_as_if_the_first_rep_still_had_it(
    reassign: int, director: int, every: int, delays: list[int], answered: int
) -> None:
    """On the minute, each time once, whoever has it; and nobody hears of it once somebody has answered."""
    steps = policy(reassign * MINUTE, director * MINUTE, every * MINUTE, 4)
    clock, told, now = begun(0, steps), list[tuple[str, int, int]](), 0
    for late in [*delays, None]:
        taken_away = answered if late is None else min(now + 10 + reassign + late, answered)
        clock, fired = fire(clock, BEGUN + taken_away * MINUTE)
        told += [(*step.key, (step.due_at - BEGUN) // MINUTE) for step in fired]
        if taken_away == answered:
            break
        before, now = ended(clock, taken_away), taken_away
        clock = gone_on(now, left(before), steps)
    planned = [("director", 1 + again, 10 + director + again * every) for again in range(5)]
    last = planned[-1][-1]
    assert [each for each in told if each[0] == "director" and each[2] <= last] == [
        each for each in planned if each[2] <= answered
    ]
    stopped = settle(clock, {"acknowledged": BEGUN + answered * MINUTE})
    assert (stopped.next_due_at, left(stopped)) == (None, ())


def test_what_goes_on_is_what_tells_others_after_the_reassignment_and_what_is_new_begins_beside_it() -> None:
    """The next rep has the whole window, is reminded, and their manager hears of their own breach."""
    clock = gone_on(25, left(ended(begun(0), 25)))
    assert to_come(clock) == [
        ("breach", 1, 35), ("manager", 1, 35), ("reassign", 1, 50), ("director", 1, 70), ("director", 2, 100),
        ("director", 3, 130), ("director", 4, 160), ("remind", 1, 645),
    ]  # fmt: skip
    assert [step.passed_on for step in clock.steps].count(True) == 4
    # After the first has been told, the next of its repetitions is not the first again.
    third = gone_on(75, left(ended(clock, 75)))
    assert [each for each in to_come(third) if each[0] == "director"] == [
        ("director", 2, 100), ("director", 3, 130), ("director", 4, 160),
    ]  # fmt: skip
    assert left(ended(begun(0), 5)) == ()


@pytest.mark.parametrize("cause", ["acknowledged", "contacted", "accepted", "lost", "erased"])
def test_nothing_goes_on_from_a_clock_that_somebody_stopped(cause: StopCause) -> None:
    """By an answer, a disposition or an erasure, also when the lead had been passed on before."""
    assert left(ended(begun(0), 26, cause)) == ()
    clock = gone_on(25, left(ended(begun(0), 25)))
    assert left(ended(clock, 51, cause)) == ()


def test_a_decline_passes_on_what_was_passed_on_and_nothing_of_its_own() -> None:
    """Who says in time that a lead is not theirs has ignored nothing; who says it late, or had it before, has."""
    assert left(ended(begun(0), 24, "declined")) == ()
    assert [step.name for step in left(ended(begun(0), 26, "declined"))] == ["director"] * 4
    clock = gone_on(25, left(ended(begun(0), 25)))
    assert [step.name for step in left(ended(clock, 30, "declined"))] == ["director"] * 4


def test_who_ends_an_assignment_or_changes_its_terms_by_hand_has_looked_at_the_lead() -> None:
    """Nothing goes on but what was promised to the rep; a new configuration is nobody's look."""
    assert left_over(ended(begun(0), 25), {"reassigned", "moved"}) == ()
    clock = gone_on(25, left(ended(begun(0), 25)))
    made = promised(25)
    applied = change_terms(clock, changed(made, MINUTE))
    assert applied.steps == clock.steps
    # Of a chain that has been told to its end nothing begins anew.
    second = gone_on(75, left(ended(clock, 75)))
    told, _ = fire(second, BEGUN + 160 * MINUTE)
    late = replace(told, terms=replace(told.terms, deadline=BEGUN + 999 * MINUTE))
    made_late = promised(75)
    after = change_terms(late, changed(made_late, 90 * MINUTE, response_window=300 * MINUTE))
    assert [each for each in to_come(after) if each[0] == "director"] == []
    by_hand = change_terms(clock, changed(made, MINUTE, because="extended", by="mia", response_window=HOUR))
    assert to_come(by_hand)[3] == ("director", 1, 25 + 120)


@pytest.mark.parametrize("done", [{"extended": {"response": HOUR}}, {"holds": [Hold(since=BEGUN, until=BEGUN)]}])
def test_what_a_manager_looked_at_stays_looked_at_whatever_is_configured_then(done: dict[str, Any]) -> None:
    """What went on had been told before: of the rep's own chain nothing is left out because of it."""
    second = gone_on(25, left(ended(begun(0), 25)))
    third, (director,) = fire(gone_on(95, left(ended(second, 95))), BEGUN + 100 * MINUTE)
    assert director.key == ("director", 2)
    made = promised(95)
    by_hand = change_terms(third, changed(made, 6 * MINUTE, by="mia", **done))
    applied = change_terms(by_hand, changed(made, 7 * MINUTE, 2, response_window=WINDOW, **done))
    assert applied.steps == by_hand.steps
    assert [number for name, number, _ in to_come(applied) if name == "director"] == [1, 3, 4]


@pytest.mark.parametrize("by", [None, "mia"])
def test_what_went_on_and_was_skipped_does_not_come_at_its_old_time(by: str | None) -> None:
    """What comes next does as it would have; after a look at the lead, all that its rep is promised."""
    made = made_at(BEGUN + 25 * MINUTE, response_window=300 * MINUTE, escalation=STANDARD)
    clock = go_on(response_clock(made), left(ended(begun(0), 25)), made)
    clock, (director,) = fire(clock, BEGUN + 70 * MINUTE)
    more = changed(made, 46 * MINUTE, by=by, response_window=310 * MINUTE)
    overtaken = SkippedStep(clock="response", step="director", occurrence=1, due_at=director.due_at)
    skipped = changed(made, 47 * MINUTE, 2, response_window=310 * MINUTE, skipped=[overtaken])
    after = change_terms(change_terms(clock, more), skipped)
    assert after.fired == 0
    assert [each for each in to_come(after) if each[0] == "director"] == (
        [("director", each, 335 + 60 + 30 * (each - 1)) for each in (1, 2, 3, 4)]
        if by
        else [("director", 2, 100), ("director", 3, 130), ("director", 4, 160)]
    )


def test_of_what_was_due_while_nobody_had_the_lead_the_last_comes_when_the_next_rep_has_it() -> None:
    """Once, and the rest at its time: nobody is told four times in one instant, and nothing counts as late."""
    over = left(ended(begun(0), 25))
    assert to_come(gone_on(120, over)) == [
        ("director", 2, 120), ("director", 3, 130), ("breach", 1, 130), ("manager", 1, 130), ("reassign", 1, 145),
        ("director", 4, 160), ("remind", 1, 740),
    ]  # fmt: skip
    late = gone_on(600, over)
    assert [each for each in to_come(late) if each[0] == "director"] == [("director", 4, 600)]
    # The same again when it has fired, by news or by a change of terms, begins nothing anew.
    fired, (director,) = fire(late, BEGUN + 600 * MINUTE)
    assert director.passed_on
    made = promised(600)
    assert go_on(fired, over, made) == fired
    assert change_terms(fired, changed(made, MINUTE)).steps == fired.steps


@pytest.mark.parametrize("urgent", [False, True])
def test_what_was_due_while_nobody_had_the_lead_waits_until_quiet_hours_are_over_unless_it_is_urgent(
    urgent: bool,
) -> None:
    """Told once then, and so is what was due then anyway. A policy is quiet about the steps that it has."""
    day = Calendar.model_validate({"id": "day", "zone": "UTC", "hours": {"tue": "09:00-11:00", "wed": "09:00-12:00"}})
    steps = [step.model_copy(update={"urgent": urgent}) for step in STANDARD]
    over = left(ended(response_clock(promised(0, steps, quiet_outside=day)), 25))
    night = promised(150, steps, quiet_outside=day)
    clock = go_on(response_clock(night), over, night)
    directors = [each for each in to_come(clock) if each[0] == "director"]
    opens = 24 * 60
    assert directors == (
        [("director", 3, 150), ("director", 4, 160)]
        if urgent
        else [("director", 3, opens), ("director", 4, opens + 30)]
    )
    assert change_terms(clock, changed(night, MINUTE)).steps == clock.steps
    assert to_come(gone_on(150, over, ()))[0] == ("director", 3 if urgent else 2, 150)


def test_who_declines_or_takes_over_with_another_policy_changes_nothing_of_what_goes_on() -> None:
    """The team that a lead overflows to may have no director; what has fired by then stays fired."""
    over = left(ended(begun(0), 25))
    assert to_come(gone_on(25, over, ())) == [("director", each, 70 + 30 * (each - 1)) for each in (1, 2, 3, 4)]
    clock, _ = fire(gone_on(25, over), BEGUN + 75 * MINUTE)
    assert go_on(clock, over, promised(25)) == clock
