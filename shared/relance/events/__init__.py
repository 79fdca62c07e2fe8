"""The events that services exchange. They meet nowhere else."""

from relance.events.assignment import (
    AssignmentEnded,
    AssignmentMade,
    AssignmentTermsChanged,
    EscalationStep,
    Hold,
    LeadErased,
    LeadUnrouted,
    SkippedStep,
)
from relance.events.catalogue import EVENT_TYPES, TOPICS, Topic
from relance.events.data import EventData
from relance.events.envelope import Envelope, MalformedEvent
from relance.events.erasure import ErasureDone, ErasureRequested
from relance.events.lead import CallDetails, Contact, LeadReceived, LeadRevised
from relance.events.person import LeadJoined, LeadSeparated
from relance.events.response import DispositionRecorded, ResponseRecorded
from relance.events.sla import BreachWithdrawn, StepFired

__all__ = [
    "EVENT_TYPES",
    "TOPICS",
    "AssignmentEnded",
    "AssignmentMade",
    "AssignmentTermsChanged",
    "BreachWithdrawn",
    "CallDetails",
    "Contact",
    "DispositionRecorded",
    "Envelope",
    "ErasureDone",
    "ErasureRequested",
    "EscalationStep",
    "EventData",
    "Hold",
    "LeadErased",
    "LeadJoined",
    "LeadReceived",
    "LeadRevised",
    "LeadSeparated",
    "LeadUnrouted",
    "MalformedEvent",
    "ResponseRecorded",
    "SkippedStep",
    "StepFired",
    "Topic",
]
