"""The routing configuration, as routing.yaml says it: a file for each kind of entry."""

from relance_router.domain.configuration.conditions import LEAD_FIELDS, Condition
from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.contacts import Contact, Format, Reachable
from relance_router.domain.configuration.escalation import EscalationPolicy, PolicyStep, Repeat
from relance_router.domain.configuration.faults import Fault, Severity, faults
from relance_router.domain.configuration.field_types import Path, in_words
from relance_router.domain.configuration.owners import Account, SamePerson, Stickiness
from relance_router.domain.configuration.people import Capacity, Leave, Member, Rep, Team
from relance_router.domain.configuration.promises import Arm, Promise, Requirements, Rule
from relance_router.domain.configuration.territories import Territory

__all__ = [
    "LEAD_FIELDS",
    "Account",
    "Arm",
    "Capacity",
    "Condition",
    "Configuration",
    "Contact",
    "EscalationPolicy",
    "Fault",
    "Format",
    "Leave",
    "Member",
    "Path",
    "PolicyStep",
    "Promise",
    "Reachable",
    "Rep",
    "Repeat",
    "Requirements",
    "Rule",
    "SamePerson",
    "Severity",
    "Stickiness",
    "Team",
    "Territory",
    "faults",
    "in_words",
]
