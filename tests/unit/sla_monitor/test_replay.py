"""Promises of what a rebuild makes of steps that have fired."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from relance_sla_monitor.domain.clocks import Clock, FormerTerms, Step, Terms
from relance_sla_monitor.rebuild.replay import moved_on

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_what_has_fired_stays_as_it_was_and_what_is_to_come_is_under_the_newest_terms() -> None:
    """Also a step that the policy has no longer, and one of which a repetition is to come."""
    clock = Clock(
        name="response",
        started_at=NOW,
        terms=Terms(HOUR, None, NOW + 3 * HOUR),
        steps=(Step("remind", "remind_rep", NOW + HOUR), Step("remind", "remind_rep", NOW + 2 * HOUR, occurrence=2)),
    )
    fired = (Step("warn", "at_risk", NOW - 2 * HOUR), Step("remind", "remind_rep", NOW - HOUR))
    moved = moved_on(clock, fired)
    assert moved.steps == (*fired, clock.steps[1])
    assert (moved.fired, moved.next_due_at) == (2, NOW + 2 * HOUR)


def test_a_clock_with_more_time_is_at_risk_again_although_it_has_been() -> None:
    """Unless it was again since, or the terms that are newest say that it is."""
    before, change = Terms(HOUR, None, NOW + HOUR), NOW + HOUR / 2
    clock = Clock(
        name="response",
        started_at=NOW,
        terms=Terms(3 * HOUR, None, NOW + 3 * HOUR),
        steps=(Step("warn", "at_risk", NOW + 2 * HOUR),),
        former=(FormerTerms(1, change, before),),
    )
    first, again = Step("warn", "at_risk", NOW), clock.steps[0]
    assert moved_on(clock, [first]) == clock
    assert moved_on(clock, [first, again]).steps == (again,)
    at_once = replace(clock, steps=(Step("warn", "at_risk", change),))
    assert moved_on(at_once, [first]).steps == (first,)
