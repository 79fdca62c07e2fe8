"""The clocks of an assignment: when their steps fall due, what has fired, and what stops them.

One clock per window that was promised: `response` until the first answer, `contact` until the lead is contacted,
`disposition` until sales says what it was worth. All begin with the assignment and count working time on its calendar;
so do the delays of steps, as nobody is to be called on Sunday for a lead that came on Friday. Holds do not count.

Terms may change while a clock runs. Those that ran at the moment of the stop decide, whenever it is heard of; so each
clock keeps its former terms.

A lead that is passed from rep to rep is one incident: when a `reassign` step has taken it away, what was still to come
and tells somebody else than the rep goes on with the clock of the next, at its time, until that is stopped. Who passes
it on or changes its terms by hand has looked at it: then nothing goes on but what the next rep is promised.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, get_args

from relance.calendars import Calendar, Hold, deadline, next_opening, used
from relance.events import AssignmentMade, AssignmentTermsChanged, EscalationStep
from relance.events.assignment import TELLING, TELLING_OTHERS, ClockName, StepAction, Way
from relance.events.response import Answer, Disposition

StopCause = Answer | Disposition | Literal["reassigned", "moved", "erased"]
"""An answer by the rep, sales' word on the lead, or its end here: it goes to somebody else, or is erased.

What was reassigned by hand was `moved` too, which stops nothing by itself.
"""

_DISPOSITIONS: frozenset[StopCause] = frozenset(get_args(Disposition))
_REACHED: frozenset[StopCause] = frozenset({"contacted"})
_ANSWERED: frozenset[StopCause] = frozenset({"acknowledged", "contacted"})
_ENDS: frozenset[StopCause] = frozenset({"declined", "reassigned", "erased"})
STOPPED_BY: Mapping[ClockName, frozenset[StopCause]] = {
    "response": _ANSWERED | _DISPOSITIONS | _ENDS,
    # Who says what a lead was worth has spoken to them, or found that there is nobody to speak to.
    "contact": _REACHED | _DISPOSITIONS | _ENDS,
    "disposition": _DISPOSITIONS | _ENDS,
}
"""What stops each clock. A lead that the rep no longer owns is nothing to wait for."""
NO_ANSWER: tuple[StopCause, ...] = tuple(sorted(_ENDS))
"""What of these is no answer, whatever counts answers; as SQL writes a list, too."""


@dataclass(frozen=True)
class Step:
    """One step of the escalation policy, with the moment it falls due (aware, UTC).

    A step that is repeated stands once for each `occurrence`. `to` names the contacts it tells, `via` the ways.
    `passed_on` says that it comes from the clock of a rep who ignored the lead.
    """

    name: str
    action: StepAction
    due_at: datetime
    occurrence: int = 1
    to: tuple[str, ...] = ()
    via: tuple[Way, ...] = ()
    passed_on: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What fires once in a clock."""
        return self.name, self.occurrence


@dataclass(frozen=True)
class Terms:
    """A window of working time on `calendar` (None: all time), apart from `holds`; `extended` of it by hand.

    `deadline` is None while the clock is on hold and nobody knows until when.
    """

    window: timedelta
    calendar: Calendar | None
    deadline: datetime | None
    extended: timedelta = timedelta()
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True)
class FormerTerms:
    """What ran until a change of this revision, at `until`."""

    revision: int
    until: datetime
    terms: Terms


@dataclass(frozen=True)
class Clock:
    """A clock that runs since `started_at`.

    `revision` is that of the newest change heard of. `fired` counts the steps that have fired, which come first in
    `steps`. `worked` is the working time from the start to the stop.
    """

    name: ClockName
    started_at: datetime
    terms: Terms
    steps: tuple[Step, ...]
    former: tuple[FormerTerms, ...] = ()
    revision: int = 0
    fired: int = 0
    stopped_at: datetime | None = None
    stopped_by: StopCause | None = None
    worked: timedelta | None = None

    @property
    def deadline(self) -> datetime | None:
        """When its window is over; None while nobody knows."""
        return self.terms.deadline

    @property
    def next_due_at(self) -> datetime | None:
        """When something falls due next; None when nothing will, or not before it is released."""
        if self.stopped_at is not None or self.deadline is None or self.fired == len(self.steps):
            return None
        return self.steps[self.fired].due_at

    @property
    def risk_at(self) -> datetime | None:
        """From when it is at risk; None when no step says so."""
        return min((step.due_at for step in self.steps if step.action == "at_risk"), default=None)

    @property
    def breach_fired(self) -> bool:
        """Whether a breach has been announced."""
        return any(step.action == "breach" for step in self.steps[: self.fired])

    @property
    def kept(self) -> bool:
        """Whether it was stopped within the window."""
        return self.stopped_at is not None and (self.deadline is None or self.stopped_at <= self.deadline)


Promise = AssignmentMade | AssignmentTermsChanged
"""What tells the terms of an assignment."""


def start(assignment: AssignmentMade) -> tuple[Clock, ...]:
    """The clocks of an assignment, from the windows, calendar and policy that were promised when it was made."""
    return tuple(_begin(assignment, name, assignment.assigned_at) for name in _windows(assignment))


def missing(clocks: Sequence[Clock], change: AssignmentTermsChanged) -> tuple[Clock, ...]:
    """Clocks for windows of a change that its assignment, with these clocks, did not have."""
    begun = clocks[0].started_at
    there = {clock.name for clock in clocks}
    return tuple(
        replace(_begin(change, name, begun), revision=change.revision) for name in _windows(change) if name not in there
    )


def change_terms(clock: Clock, change: AssignmentTermsChanged) -> Clock:
    """The clock under new terms, unless they are old news. What is past stays.

    A clock that has stopped or whose deadline has passed by then keeps its terms, and so does one whose window is told
    no longer: what was promised stands. No deadline and no step is moved to before the change; what has fired stays
    fired, unless it was skipped, or says that the clock is at risk when under the new terms it is not yet.
    """
    if change.revision <= clock.revision:
        return clock
    clock = replace(clock, revision=change.revision)
    moment = change.changed_at
    if (
        clock.name not in _windows(change)
        or (clock.stopped_at is not None and clock.stopped_at < moment)
        or (clock.deadline is not None and clock.deadline <= moment)
    ):
        return clock
    changed = _begin(change, clock.name, clock.started_at)
    skipped = {(each.step, each.occurrence, each.due_at) for each in change.skipped if each.clock == clock.name}
    to_come = {step.key: step.due_at for step in changed.steps if step.due_at > moment}

    def overtaken(step: Step) -> bool:
        return (*step.key, step.due_at) in skipped

    # What was done by hand is told with every change that comes after.
    looked_at = change.by or change.extended or change.holds
    gone_on = () if looked_at else tuple(step for step in clock.steps if step.passed_on and not overtaken(step))
    fired = tuple(
        step
        for step in clock.steps[: clock.fired]
        if not overtaken(step) and not comes_again(step, to_come.get(step.key))
    )
    keys = {step.key for step in fired}
    changed = replace(
        clock,
        terms=changed.terms,
        steps=fired + tuple(step for step in changed.steps if step.key not in keys),
        fired=len(fired),
        former=(*clock.former, FormerTerms(change.revision, moment, clock.terms)),
    )
    return go_on(changed, gone_on, change)


def left_over(clock: Clock, heard: Collection[StopCause]) -> tuple[Step, ...]:
    """What of a clock that has been stopped goes on with the next rep; `heard` is all that was said of its assignment.

    All that tells others, once a `reassign` step was due, also when the rep then declined; before, what had gone on
    with them. Not what was due by then.
    """
    end = clock.stopped_at
    if end is None or clock.stopped_by not in {"reassigned", "declined"} or "moved" in heard:
        return ()
    ignored = any(step.action == "reassign" and step.due_at <= end for step in clock.steps)
    return tuple(
        replace(step, passed_on=True)
        for step in clock.steps
        if step.due_at > end and step.action in TELLING_OTHERS and (ignored or step.passed_on)
    )


def go_on(clock: Clock, steps: Sequence[Step], promise: Promise) -> Clock:
    """The clock, of this promise, with these steps of the clock before, where the same of its own is due later.

    They wait for the end of quiet hours as the same of its own would. What has been told already, as a later occurrence
    of it comes, does not begin anew. Of what would happen in one instant, as it was due before anybody had the lead
    again, the last is left.
    """
    if not steps:
        return clock
    configured = {step.name: step for step in promise.escalation if step.clock == clock.name}
    moved: dict[tuple[str, datetime], Step] = {}
    for step in steps:
        due_at = max(step.due_at, clock.started_at)
        if own := configured.get(step.name):
            due_at = _told_at(own, promise.quiet_outside, due_at)
        moved[step.name, due_at] = replace(step, due_at=due_at)
    steps = tuple(moved.values())
    fired = clock.steps[: clock.fired]
    told = {step.key for step in fired}
    coming = {step.key: step for step in steps if step.key not in told}
    first: dict[str, int] = {}
    for step in steps:
        first[step.name] = min(step.occurrence, first.get(step.name, step.occurrence))
    for step in clock.steps[clock.fired :]:
        there = coming.get(step.key)
        if step.occurrence >= first.get(step.name, 1) and (there is None or step.due_at <= there.due_at):
            coming[step.key] = step
    return replace(clock, steps=fired + tuple(sorted(coming.values(), key=lambda step: step.due_at)))


def comes_again(fired: Step, due_at: datetime | None) -> bool:
    """Whether a step that has fired will fire once more, as its time under newer terms is `due_at`.

    Only what tells nobody: a clock with more time is not at risk until most of that is gone.
    """
    return fired.action == "at_risk" and due_at is not None and fired.due_at < due_at


def _begin(promise: Promise, name: ClockName, begun: datetime) -> Clock:
    """A clock that runs since `begun`, under these terms."""
    window, earliest = _windows(promise)[name], begun
    extended, holds = timedelta(), tuple[Hold, ...]()
    if isinstance(promise, AssignmentTermsChanged):
        earliest = promise.changed_at
        extended = promise.extended.get(name, extended)
        holds = tuple((hold.since, hold.until) for hold in promise.holds)

    def due(since: datetime, after: timedelta) -> datetime | None:
        return deadline(promise.calendar, since, after, holds)

    steps = [
        step
        for configured in promise.escalation
        if configured.clock == name
        for step in _occurrences(
            configured,
            begun=begun,
            window=window,
            due=due,
            told_at=partial(_told_at, configured, promise.quiet_outside),
            earliest=earliest,
        )
    ]
    over = due(begun, window)
    return Clock(
        name=name,
        started_at=begun,
        terms=Terms(window, promise.calendar, over and max(over, earliest), extended, holds),
        # Stable: steps that fall due together fire in the order of the policy.
        steps=tuple(sorted(steps, key=lambda step: step.due_at)),
    )


def _windows(promise: Promise) -> dict[ClockName, timedelta]:
    windows: dict[ClockName, timedelta | None] = {
        "response": promise.response_window,
        "contact": promise.contact_window,
        "disposition": promise.disposition_window,
    }
    return {name: window for name, window in windows.items() if window is not None}


def _told_at(step: EscalationStep, quiet_outside: Calendar | None, moment: datetime) -> datetime:
    """When a step happens that is due at a moment."""
    if quiet_outside and step.action in TELLING and not step.urgent:
        # Hours that never come silence nobody.
        return next_opening(quiet_outside, moment) or moment
    return moment


def _occurrences(
    step: EscalationStep,
    *,
    begun: datetime,
    window: timedelta,
    due: Callable[[datetime, timedelta], datetime | None],
    told_at: Callable[[datetime], datetime],
    earliest: datetime,
) -> Iterator[Step]:
    """A step and its repetitions, as far as it is known when they are due: none before `earliest`.

    What has waited for quiet hours to end is repeated from then on. Of what would happen in one instant, as it was due
    before `earliest`, the last is left.
    """
    every = step.repeat_every or timedelta()
    moments: list[datetime] = []
    delayed: datetime | None = None
    for repeated in range(1 + step.repeat_times):
        own = due(begun, window * step.window_fraction + step.delay + repeated * every)
        again = due(delayed, every) if delayed else own
        if own is None or again is None:
            break
        told = told_at(max(own, again))
        delayed = told if told > own else None
        moments.append(told if told > earliest else told_at(earliest))
    for number, moment in enumerate(moments, 1):
        if number == len(moments) or moment != moments[number]:
            yield Step(step.name, step.action, moment, number, step.to, step.via)


def fire(clock: Clock, now: datetime) -> tuple[Clock, tuple[Step, ...]]:
    """The steps that have fallen due by `now` and had not fired, and the clock after them."""
    if clock.next_due_at is None:
        return clock, ()
    due = tuple(step for step in clock.steps[clock.fired :] if step.due_at <= now)
    return replace(clock, fired=clock.fired + len(due)), due


def settle(clock: Clock, heard: Mapping[StopCause, datetime]) -> Clock:
    """The clock once everything known to stop it is taken into account: the earliest counts, whenever it is heard of.

    Topics are not ordered among each other, and answers may be heard of late: what was said when decides, under the
    terms that ran then.
    """
    stops = {cause: at for cause, at in heard.items() if cause in STOPPED_BY[clock.name]}
    if not stops:
        return clock
    cause, moment = min(stops.items(), key=lambda stop: (stop[1], stop[0]))
    terms = next((former.terms for former in clock.former if moment < former.until), clock.terms)
    worked = used(terms.calendar, clock.started_at, moment, terms.holds)
    return replace(clock, terms=terms, stopped_at=moment, stopped_by=cause, worked=worked)


def breach_withdrawn(before: Clock, after: Clock) -> bool:
    """Whether a breach was announced that, as is now known, did not happen."""
    return before.breach_fired and after.kept and not before.kept
