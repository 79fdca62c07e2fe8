"""Assignments as the router tells of them."""

from datetime import datetime, timedelta
from typing import Any

from relance.events import AssignmentMade
from relance.ids import AssignmentId, LeadId, new_id


def assignment_made(at: datetime, **said: Any) -> AssignmentMade:
    """A lead that came in and was given to Anna at that moment, to answer within ten minutes; `said` says otherwise."""
    usual: dict[str, Any] = {
        "assignment_id": AssignmentId(new_id()),
        "lead_id": LeadId(new_id()),
        "ordinal": 1,
        "rep": "anna",
        "team": "sales",
        "rule": "r",
        "source": "website",
        "channel": "form",
        "campaign": None,
        "received_at": at,
        "assigned_at": at,
        "response_window": timedelta(minutes=10),
        "escalation": (),
        "configuration": 1,
    }
    return AssignmentMade(**usual | said)
