"""The terms of an assignment: how long its clocks run and what happens meanwhile; and what becomes of its deadlines
when the terms change.

What is past stays: a deadline that has passed is not moved, and none is moved into the past. So neither an extension
nor an edited configuration undoes a breach. The SLA monitor computes the same from the event that tells the terms.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import get_args

from relance.calendars import Calendar, deadline
from relance.events import EscalationStep, Hold
from relance.events.assignment import ClockName
from relance_router.domain.answers import AssignmentState
from relance_router.domain.configuration import Configuration, Promise
from relance_router.domain.rules import FALLBACK

CLOCKS: tuple[ClockName, ...] = get_args(ClockName)

Deadlines = Mapping[ClockName, datetime | None]
"""When each clock's window is over, in UTC; None while it is not known because of a hold. No clock: no entry."""

_WAITING: Mapping[ClockName, frozenset[AssignmentState]] = {
    "response": frozenset({AssignmentState.OPEN}),
    "contact": frozenset({AssignmentState.OPEN, AssignmentState.ACKNOWLEDGED}),
    "disposition": frozenset({AssignmentState.OPEN, AssignmentState.ACKNOWLEDGED, AssignmentState.CONTACTED}),
}


@dataclass(frozen=True)
class PromisedBy:
    """What an assignment's promise is found by: the rule, the arm of its split from 0, and who has the lead."""

    rule: str
    arm: int | None
    team: str
    rep: str


@dataclass(frozen=True)
class Terms:
    """What holds for an assignment. `windows` are those promised, `extended` is what was added to them by hand."""

    windows: Mapping[ClockName, timedelta]
    calendar: Calendar | None
    """In whose working time windows count; None: all time counts."""
    steps: tuple[EscalationStep, ...]
    quiet_outside: Calendar | None = None
    extended: Mapping[ClockName, timedelta] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    """Apart from each other, the earliest first."""

    @property
    def whole_windows(self) -> Mapping[ClockName, timedelta]:
        """Each clock's window, extensions included."""
        return {clock: window + self.extended.get(clock, timedelta()) for clock, window in self.windows.items()}

    def deadlines(self, begin: datetime) -> Deadlines:
        """Of every clock of an assignment made at `begin`, as if these had been its terms from the beginning."""
        holds = [(hold.since, hold.until) for hold in self.holds]
        return {clock: deadline(self.calendar, begin, window, holds) for clock, window in self.whole_windows.items()}

    def more(self, clock: ClockName, by: timedelta) -> "Terms":
        """With a clock's window longer."""
        return replace(self, extended={**self.extended, clock: self.extended.get(clock, timedelta()) + by})

    def held(self, since: datetime, until: datetime | None) -> "Terms":
        """On hold from `since`, when no hold lasts then."""
        return replace(self, holds=(*self.holds, Hold(since=since, until=until)))

    def released(self, at: datetime) -> "Terms":
        """With the hold that lasts at this moment ended."""
        ended = (Hold(since=hold.since, until=at) if _lasts(hold, at) else hold for hold in self.holds)
        return replace(self, holds=tuple(hold for hold in ended if hold.since != hold.until))


def hold_at(holds: Sequence[Hold], moment: datetime) -> Hold | None:
    """The hold in which clocks stand still at a moment; None when they run."""
    return next((hold for hold in holds if hold.since <= moment and _lasts(hold, moment)), None)


def _lasts(hold: Hold, moment: datetime) -> bool:
    return hold.until is None or moment < hold.until


def terms_under(configuration: Configuration, by: PromisedBy) -> Terms | None:
    """What a configuration says, with nothing done by hand; None when it has not the rule, the rep or the policy."""
    promise = _promise(configuration, by)
    if promise is None or by.rep not in configuration.reps_by_id or by.team not in configuration.teams_by_id:
        return None
    policy = configuration.policies_by_id.get(promise.escalation)
    if policy is None:
        return None
    windows: dict[ClockName, timedelta | None] = {
        "response": promise.respond_within,
        "contact": promise.contact_within,
        "disposition": promise.decide_within,
    }
    return Terms(
        windows={clock: window for clock, window in windows.items() if window is not None},
        calendar=configuration.window_calendar(by.team, by.rep),
        steps=policy.as_told,
        quiet_outside=configuration.quiet_outside(policy.id),
    )


def _promise(configuration: Configuration, by: PromisedBy) -> Promise | None:
    if by.rule == FALLBACK:
        return configuration.fallback
    rule = configuration.rules_by_id.get(by.rule)
    # An arm says nothing without the split that it is of.
    if rule is None or bool(rule.split) is (by.arm is None):
        return None
    place = by.arm or 0
    return rule.promises[place] if place < len(rule.promises) else None


def waits(clock: ClockName, state: AssignmentState, *, disposed: bool) -> bool:
    """Whether a clock still runs, if there is one; `disposed`: sales has said what the lead was worth."""
    return state in _WAITING[clock] and not disposed


def over(terms: Terms, state: AssignmentState) -> bool:
    """Whether none of an assignment's clocks runs any more, whatever sales has said of the lead."""
    return not any(waits(clock, state, disposed=False) for clock in terms.windows)


def passed(due: datetime | None, now: datetime) -> bool:
    """Whether a deadline is past."""
    return due is not None and due <= now


def moved(before: Deadlines, terms: Terms, begin: datetime, now: datetime, running: Collection[ClockName]) -> Deadlines:
    """The deadlines of an assignment made at `begin` whose terms are these from `now` on, and were others before.

    `running` are the clocks that have not been stopped. One whose window is promised no longer keeps its deadline.
    """
    stay = {
        clock: due
        for clock, due in before.items()
        if clock not in running or clock not in terms.windows or passed(due, now)
    }
    new = {
        clock: None if due is None else max(due, now)
        for clock, due in terms.deadlines(begin).items()
        if clock in running
    }
    return {**new, **stay}
