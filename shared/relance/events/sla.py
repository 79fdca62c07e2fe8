"""What the SLA monitor says: a step of the escalation policy has fallen due."""

from typing import ClassVar

from pydantic import Field

from relance.events.assignment import ClockName, StepAction, Way
from relance.events.data import EventData, Seconds, UtcDatetime
from relance.ids import AssignmentId, LeadId


class StepFired(EventData):
    """A step fell due while its clock was running. Fires once per (assignment, clock, step, occurrence).

    But for what the router skipped, and for `at_risk`, which is said again of a clock that was given more time.
    """

    TYPE: ClassVar[str] = "relance.sla.step_fired.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    clock: ClockName
    step: str
    occurrence: int = Field(1, ge=1, description="2 for the first repetition, and so on.")
    action: StepAction
    to: tuple[str, ...] = Field((), description="The contacts that action `notify` tells.")
    via: tuple[Way, ...] = Field((), description="How they are told; empty: by their tool, by e-mail when that fails.")
    rep: str
    team: str
    due_at: UtcDatetime
    fired_at: UtcDatetime
    deadline: UtcDatetime
    response_window: Seconds = Field(description="The window of this clock.")
    passed_on: bool = Field(
        False, description="Whether it comes from the clock of a rep before, who ignored the lead: `rep` has it since."
    )


class BreachWithdrawn(EventData):
    """A breach was announced, and then an answer is heard of that had been given in time: it did not happen."""

    TYPE: ClassVar[str] = "relance.sla.breach_withdrawn.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    clock: ClockName
    rep: str
    team: str
    responded_at: UtcDatetime
    deadline: UtcDatetime | None = Field(description="None: on hold, nobody knew until when.")
