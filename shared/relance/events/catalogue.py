"""Every event type: its model, and the one topic that it travels on."""

from enum import StrEnum

from relance.events.assignment import AssignmentEnded, AssignmentMade, AssignmentTermsChanged, LeadErased, LeadUnrouted
from relance.events.data import EventData
from relance.events.erasure import ErasureDone, ErasureRequested
from relance.events.lead import LeadReceived, LeadRevised
from relance.events.person import LeadJoined, LeadSeparated
from relance.events.response import DispositionRecorded, ResponseRecorded
from relance.events.sla import BreachWithdrawn, StepFired


class Topic(StrEnum):
    """Topics, keyed by lead id, but `leads.received` by the person's identity key and `leads.privacy` by erasure."""

    RECEIVED = "leads.received"
    ASSIGNMENTS = "leads.assignments"
    RESPONSES = "leads.responses"
    SLA = "leads.sla"
    PRIVACY = "leads.privacy"


TOPICS: dict[type[EventData], Topic] = {
    LeadReceived: Topic.RECEIVED,
    LeadRevised: Topic.RECEIVED,
    ErasureRequested: Topic.RECEIVED,
    AssignmentMade: Topic.ASSIGNMENTS,
    AssignmentTermsChanged: Topic.ASSIGNMENTS,
    AssignmentEnded: Topic.ASSIGNMENTS,
    LeadUnrouted: Topic.ASSIGNMENTS,
    LeadErased: Topic.ASSIGNMENTS,
    LeadJoined: Topic.ASSIGNMENTS,
    LeadSeparated: Topic.ASSIGNMENTS,
    ResponseRecorded: Topic.RESPONSES,
    DispositionRecorded: Topic.RESPONSES,
    StepFired: Topic.SLA,
    BreachWithdrawn: Topic.SLA,
    ErasureDone: Topic.PRIVACY,
}

EVENT_TYPES: dict[str, type[EventData]] = {model.TYPE: model for model in TOPICS}
