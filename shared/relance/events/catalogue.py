"""Every event type: its model, and the one topic that it travels on."""

from enum import StrEnum

from relance.events.assignment import AssignmentEnded, AssignmentMade, AssignmentTermsChanged, LeadUnrouted
from relance.events.data import EventData
from relance.events.lead import LeadReceived, LeadRevised
from relance.events.response import DispositionRecorded, ResponseRecorded
from relance.events.sla import BreachWithdrawn, StepFired


class Topic(StrEnum):
    """Topics, keyed by lead id, but `leads.received` by the person's identity key."""

    RECEIVED = "leads.received"
    ASSIGNMENTS = "leads.assignments"
    RESPONSES = "leads.responses"
    SLA = "leads.sla"


TOPICS: dict[type[EventData], Topic] = {
    LeadReceived: Topic.RECEIVED,
    LeadRevised: Topic.RECEIVED,
    AssignmentMade: Topic.ASSIGNMENTS,
    AssignmentTermsChanged: Topic.ASSIGNMENTS,
    AssignmentEnded: Topic.ASSIGNMENTS,
    LeadUnrouted: Topic.ASSIGNMENTS,
    ResponseRecorded: Topic.RESPONSES,
    DispositionRecorded: Topic.RESPONSES,
    StepFired: Topic.SLA,
    BreachWithdrawn: Topic.SLA,
}

EVENT_TYPES: dict[str, type[EventData]] = {model.TYPE: model for model in TOPICS}
