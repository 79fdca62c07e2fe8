"""One clock per assignment: when its steps fall due, what has fired, and what stops it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from relance.events import AssignmentMade
from relance.events.assignment import StepAction
from relance_sla_monitor.domain.working_time import Calendar

StopCause = Literal["acknowledged", "contacted", "declined", "reassigned"]
"""An answer by the rep, or the lead going to somebody else."""


@dataclass(frozen=True)
class Step:
    """One step of the escalation policy, with the moment it falls due (aware, UTC)."""

    name: str
    action: StepAction
    due_at: datetime


@dataclass(frozen=True)
class Clock:
    """A response window that runs from `started_at` to `deadline`. `fired` counts the steps that have fired."""

    started_at: datetime
    window: timedelta
    deadline: datetime
    steps: tuple[Step, ...]
    fired: int = 0
    stopped_at: datetime | None = None
    stopped_by: StopCause | None = None

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


def start(assignment: AssignmentMade, calendar: Calendar) -> Clock:
    """The clock of an assignment, from the policy that was configured when it was made."""
    begun, window = assignment.assigned_at, assignment.response_window
    steps = [
        Step(step.name, step.action, calendar.after(begun, window * step.window_fraction + step.delay))
        for step in assignment.escalation
    ]
    # Stable: steps that fall due together fire in the order of the policy.
    return Clock(begun, window, calendar.after(begun, window), tuple(sorted(steps, key=lambda step: step.due_at)))


def fire(clock: Clock, now: datetime) -> tuple[Clock, tuple[Step, ...]]:
    """The steps that have fallen due by `now` and had not fired, and the clock after them."""
    if clock.stopped_at is not None:
        return clock, ()
    due = sum(1 for step in clock.steps if step.due_at <= now)
    return replace(clock, fired=max(due, clock.fired)), clock.steps[clock.fired : due]


def settle(clock: Clock, stops: Mapping[StopCause, datetime]) -> Clock:
    """The clock once everything known to stop it is taken into account: the earliest counts, whenever it is heard of.

    Topics are not ordered among each other, and answers may be heard of late: what was said when decides.
    """
    if not stops:
        return clock
    cause, moment = min(stops.items(), key=lambda stop: (stop[1], stop[0]))
    return replace(clock, stopped_at=moment, stopped_by=cause)


def breach_withdrawn(before: Clock, after: Clock) -> bool:
    """Whether a breach was announced that, as is now known, did not happen."""
    return before.breach_fired and after.kept and not before.kept
