"""What the router says: who owns a lead, since when, and when that ended."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from relance.calendars import Calendar
from relance.events.data import Channel, EventData, Seconds, UtcDatetime
from relance.ids import AssignmentId, LeadId

StepAction = Literal["remind_rep", "at_risk", "breach", "notify_manager", "reassign"]


ClockName = Literal["response", "contact", "disposition"]
"""What is waited for: the first answer, the first contact, or the word on what the lead was worth."""


class EscalationStep(BaseModel):
    """One step of an escalation policy, as configured when the assignment was made.

    It falls due when `window_fraction` of its clock's window has passed, and `delay` after that: all working time.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    action: StepAction
    window_fraction: float = Field(gt=0)
    delay: Seconds
    clock: ClockName = "response"


class AssignmentMade(EventData):
    """A lead has a new owner, who is being told, and whose response window is running."""

    TYPE: ClassVar[str] = "relance.assignment.made.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    ordinal: int = Field(ge=1, description="1 for the lead's first owner, 2 for the second, and so on.")
    rep: str
    team: str
    rule: str
    source: str
    channel: Channel
    campaign: str | None
    received_at: UtcDatetime
    assigned_at: UtcDatetime
    response_window: Seconds
    contact_window: Seconds | None = Field(None, description="None: no clock runs for the first contact.")
    disposition_window: Seconds | None = Field(None, description="None: no clock runs for the disposition.")
    calendar: Calendar | None = Field(None, description="Whose working time windows count in; None: all time counts.")
    escalation: tuple[EscalationStep, ...]
    configuration: int = Field(description="Version of the routing configuration that decided.")


class AssignmentEnded(EventData):
    """The rep no longer owns the lead."""

    TYPE: ClassVar[str] = "relance.assignment.ended.v1"

    assignment_id: AssignmentId
    lead_id: LeadId
    rep: str
    reason: Literal["declined", "reassigned"]
    ended_at: UtcDatetime


class LeadUnrouted(EventData):
    """Nobody could be given the lead; it stands in `unrouted` until somebody can."""

    TYPE: ClassVar[str] = "relance.lead.unrouted.v1"

    lead_id: LeadId
    source: str
    channel: Channel
    campaign: str | None
    received_at: UtcDatetime
    unrouted_at: UtcDatetime
    reason: str
    until: UtcDatetime | None = Field(None, description="When it is tried again, as far as that is known.")
