"""What the SLA monitor says: a step of the escalation policy has fallen due."""

from typing import ClassVar

from pydantic import Field

from relance.events.assignment import ClockName, StepAction
from relance.events.data import EventData, Seconds, UtcDatetime
from relance.ids import AssignmentId, LeadId


class StepFired(EventData):
    """A step fell due while its clock was running. Fires once per (assignment, clock, step)."""

    TYPE: ClassVar[str] = "relance.sla.step_fired.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    clock: ClockName
    step: str
    action: StepAction
    rep: str
    team: str
    due_at: UtcDatetime
    fired_at: UtcDatetime
    deadline: UtcDatetime
    response_window: Seconds = Field(description="The window of this clock.")


class BreachWithdrawn(EventData):
    """A breach was announced, and then an answer arrived that had been given in time: the breach did not happen."""

    TYPE: ClassVar[str] = "relance.sla.breach_withdrawn.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    clock: ClockName
    rep: str
    team: str
    responded_at: UtcDatetime
    deadline: UtcDatetime
