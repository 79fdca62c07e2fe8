"""What reps and managers are to be told, as intents: written with what they tell of, put into words when sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from relance import tracing
from relance.events import StepFired
from relance.ids import AssignmentId, LeadId, NewId, NotificationId
from relance_router.deliveries.endpoints import manager_endpoint, rep_endpoint


@dataclass(frozen=True)
class NewNotification:
    """One message to one endpoint. One per `key`, whatever is redelivered.

    `details` is what the message says beside the lead itself: plain JSON, without personal data.
    """

    id: NotificationId
    key: str
    type: str
    endpoint: str
    details: Mapping[str, Any]
    traceparent: str
    lead_id: LeadId | None = None
    assignment_id: AssignmentId | None = None


def assigned(
    assignment: AssignmentId,
    lead: LeadId,
    *,
    rep: str,
    team: str,
    why: str,
    ordinal: int,
    respond_by: datetime,
    assigned_at: datetime,
    traceparent: str,
    new_id: NewId,
) -> NewNotification:
    """The rep has a new lead."""
    return NewNotification(
        id=NotificationId(new_id()),
        key=f"{assignment}:assigned",
        type="lead.assigned",
        endpoint=rep_endpoint(rep),
        details={
            "rep": rep,
            "team": team,
            "why": why,
            "ordinal": ordinal,
            "at": utc(assigned_at),
            "respond_by": utc(respond_by),
        },
        traceparent=tracing.child_of(traceparent),
        lead_id=lead,
        assignment_id=assignment,
    )


def offered(
    offer: AssignmentId,
    lead: LeadId,
    *,
    rep: str,
    team: str,
    why: str,
    claim_by: datetime,
    offered_at: datetime,
    traceparent: str,
    new_id: NewId,
) -> NewNotification:
    """The rep may claim a lead."""
    return NewNotification(
        id=NotificationId(new_id()),
        key=f"{offer}:offered",
        type="lead.offered",
        endpoint=rep_endpoint(rep),
        details={"rep": rep, "team": team, "why": why, "at": utc(offered_at), "claim_by": utc(claim_by)},
        traceparent=tracing.child_of(traceparent),
        lead_id=lead,
        assignment_id=offer,
    )


def offer_over(
    offer: AssignmentId, lead: LeadId, *, rep: str, at: datetime, traceparent: str, new_id: NewId
) -> NewNotification:
    """Somebody else has claimed the lead."""
    return NewNotification(
        id=NotificationId(new_id()),
        key=f"{offer}:taken",
        type="lead.taken",
        endpoint=rep_endpoint(rep),
        details={"rep": rep, "at": utc(at)},
        traceparent=tracing.child_of(traceparent),
        lead_id=lead,
        assignment_id=offer,
    )


def pause_changed(
    pause: UUID, *, rep: str, endpoint: str, resumed: bool, why: str, at: datetime, new_id: NewId
) -> NewNotification:
    """A rep takes no leads for now, or takes them again: told to the rep and to the managers of their teams."""
    type_ = "rep.resumed" if resumed else "rep.paused"
    return NewNotification(
        id=NotificationId(new_id()),
        key=f"{pause}:{type_}:{endpoint}",
        type=type_,
        endpoint=endpoint,
        details={"rep": rep, "why": why, "at": utc(at)},
        traceparent=tracing.child_of(None),
    )


def terms_changed(
    intervention: UUID,
    assignment: AssignmentId,
    lead: LeadId,
    *,
    rep: str,
    details: Mapping[str, Any],
    at: datetime,
    traceparent: str,
    new_id: NewId,
) -> NewNotification:
    """The rep has more time, or need not hurry, or has to again. `details`: `change`, who did it and why, and when."""
    return NewNotification(
        id=NotificationId(new_id()),
        key=f"{intervention}:changed",
        type="lead.changed",
        endpoint=rep_endpoint(rep),
        details={"rep": rep, **details, "at": utc(at)},
        traceparent=tracing.child_of(traceparent),
        lead_id=lead,
        assignment_id=assignment,
    )


def escalated(step: StepFired, traceparent: str, new_id: NewId) -> NewNotification | None:
    """A reminder to the rep or a word to the manager, when that is what the step asks for."""
    ways = {
        "remind_rep": ("lead.reminder", rep_endpoint(step.rep)),
        "notify_manager": ("lead.escalated", manager_endpoint(step.team)),
    }
    if step.action not in ways:
        return None
    type_, endpoint = ways[step.action]
    return NewNotification(
        id=NotificationId(new_id()),
        key=f"{step.assignment_id}:step:{step.step}",
        type=type_,
        endpoint=endpoint,
        details={
            "rep": step.rep,
            "team": step.team,
            "step": step.step,
            "at": utc(step.fired_at),
            "respond_by" if step.clock == "response" else f"{step.clock}_by": utc(step.deadline),
        },
        traceparent=tracing.child_of(traceparent),
        lead_id=step.lead_id,
        assignment_id=step.assignment_id,
    )


def utc(moment: datetime) -> str:
    """A time as messages write it."""
    return moment.isoformat().replace("+00:00", "Z")
