"""The clocks of an assignment: when their steps fall due, what has fired, and what stops them.

One clock per window that was promised: `response` until the first answer, `contact` until the lead is contacted,
`disposition` until sales says what it was worth. All begin with the assignment and count working time on its calendar;
so do the delays of steps, as nobody is to be called on Sunday for a lead that came on Friday.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from relance.calendars import Calendar, deadline, used
from relance.events import AssignmentMade
from relance.events.assignment import ClockName, StepAction
from relance.events.response import Answer, Disposition

StopCause = Answer | Disposition | Literal["reassigned"]
"""An answer by the rep, sales' word on the lead, or the lead going to somebody else."""

_DISPOSITIONS: frozenset[StopCause] = frozenset(get_args(Disposition))
_REACHED: frozenset[StopCause] = frozenset({"contacted"})
_ANSWERED: frozenset[StopCause] = frozenset({"acknowledged", "contacted"})
_ENDS: frozenset[StopCause] = frozenset({"declined", "reassigned"})
STOPPED_BY: Mapping[ClockName, frozenset[StopCause]] = {
    "response": _ANSWERED | _DISPOSITIONS | _ENDS,
    # Who says what a lead was worth has spoken to them, or found that there is nobody to speak to.
    "contact": _REACHED | _DISPOSITIONS | _ENDS,
    "disposition": _DISPOSITIONS | _ENDS,
}
"""What stops each clock. A lead that the rep no longer owns is nothing to wait for."""


@dataclass(frozen=True)
class Step:
    """One step of the escalation policy, with the moment it falls due (aware, UTC)."""

    name: str
    action: StepAction
    due_at: datetime


@dataclass(frozen=True)
class Clock:
    """A window of working time on `calendar` (None: all time) that runs from `started_at` to `deadline`.

    `fired` counts the steps that have fired. `worked` is the working time from the start to the stop.
    """

    name: ClockName
    started_at: datetime
    window: timedelta
    calendar: Calendar | None
    deadline: datetime
    steps: tuple[Step, ...]
    fired: int = 0
    stopped_at: datetime | None = None
    stopped_by: StopCause | None = None
    worked: timedelta | None = None

    @property
    def next_due_at(self) -> datetime | None:
        """When something falls due next; None when nothing will."""
        if self.stopped_at is not None or self.fired == len(self.steps):
            return None
        return self.steps[self.fired].due_at

    @property
    def breach_fired(self) -> bool:
        """Whether a breach has been announced."""
        return any(step.action == "breach" for step in self.steps[: self.fired])

    @property
    def kept(self) -> bool:
        """Whether it was stopped within the window."""
        return self.stopped_at is not None and self.stopped_at <= self.deadline


def start(assignment: AssignmentMade) -> tuple[Clock, ...]:
    """The clocks of an assignment, from the windows, calendar and policy that were promised when it was made."""
    windows: dict[ClockName, timedelta | None] = {
        "response": assignment.response_window,
        "contact": assignment.contact_window,
        "disposition": assignment.disposition_window,
    }
    return tuple(_clock(assignment, name, window) for name, window in windows.items() if window is not None)


def _clock(assignment: AssignmentMade, name: ClockName, window: timedelta) -> Clock:
    begun, calendar = assignment.assigned_at, assignment.calendar
    steps = [
        Step(step.name, step.action, deadline(calendar, begun, window * step.window_fraction + step.delay))
        for step in assignment.escalation
        if step.clock == name
    ]
    return Clock(
        name=name,
        started_at=begun,
        window=window,
        calendar=calendar,
        deadline=deadline(calendar, begun, window),
        # Stable: steps that fall due together fire in the order of the policy.
        steps=tuple(sorted(steps, key=lambda step: step.due_at)),
    )


def fire(clock: Clock, now: datetime) -> tuple[Clock, tuple[Step, ...]]:
    """The steps that have fallen due by `now` and had not fired, and the clock after them."""
    if clock.stopped_at is not None:
        return clock, ()
    due = sum(1 for step in clock.steps if step.due_at <= now)
    return replace(clock, fired=max(due, clock.fired)), clock.steps[clock.fired : due]


def settle(clock: Clock, heard: Mapping[StopCause, datetime]) -> Clock:
    """The clock once everything known to stop it is taken into account: the earliest counts, whenever it is heard of.

    Topics are not ordered among each other, and answers may be heard of late: what was said when decides.
    """
    stops = dict(_stops(clock.name, heard))
    if not stops:
        return clock
    cause, moment = min(stops.items(), key=lambda stop: (stop[1], stop[0]))
    worked = used(clock.calendar, clock.started_at, moment)
    return replace(clock, stopped_at=moment, stopped_by=cause, worked=worked)


def breach_withdrawn(before: Clock, after: Clock) -> bool:
    """Whether a breach was announced that, as is now known, did not happen."""
    return before.breach_fired and after.kept and not before.kept


def _stops(name: ClockName, heard: Mapping[StopCause, datetime]) -> Iterator[tuple[StopCause, datetime]]:
    return ((cause, at) for cause, at in heard.items() if cause in STOPPED_BY[name])
