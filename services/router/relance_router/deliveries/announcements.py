"""What reps and managers are to be told, as intents: written with what they tell of, put into words when sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from relance import tracing
from relance.events import StepFired
from relance.ids import AssignmentId, EventId, LeadId, NewId, NotificationId
from relance_router.deliveries.endpoints import contact_endpoint, manager_endpoint, rep_endpoint, told_by
from relance_router.domain.configuration import Configuration


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


@dataclass(frozen=True)
class Holder:
    """The rep who has a lead, or may claim it, and the trace of what they are told of."""

    rep: str
    assignment_id: AssignmentId
    """Or that of the offer."""
    lead_id: LeadId
    traceparent: str


def assigned(
    to: Holder, *, team: str, why: str, ordinal: int, respond_by: datetime, at: datetime, new_id: NewId
) -> NewNotification:
    """The rep has a new lead."""
    told = {"team": team, "why": why, "ordinal": ordinal, "respond_by": utc(respond_by)}
    return _to_rep(to, "lead.assigned", f"{to.assignment_id}:assigned", told, at=at, new_id=new_id)


def updated(to: Holder, event: EventId, *, touch: LeadId | None, at: datetime, new_id: NewId) -> NewNotification:
    """More is known of the rep's lead, or of a touch of it, as `event` says."""
    told = {"touch": str(touch)} if touch else {}
    return _to_rep(to, "lead.updated", f"{event}:updated", told, at=at, new_id=new_id)


def touched(to: Holder, touch: LeadId, *, at: datetime, new_id: NewId) -> NewNotification:
    """The person behind the rep's lead has come again."""
    return _to_rep(to, "lead.touched", touched_key(touch), {"touch": str(touch)}, at=at, new_id=new_id)


def touched_key(touch: LeadId) -> str:
    """By which the one notification of a touch is known."""
    return f"{touch}:touched"


def offered(to: Holder, *, team: str, why: str, claim_by: datetime, at: datetime, new_id: NewId) -> NewNotification:
    """The rep may claim a lead."""
    told = {"team": team, "why": why, "claim_by": utc(claim_by)}
    return _to_rep(to, "lead.offered", f"{to.assignment_id}:offered", told, at=at, new_id=new_id)


def offer_over(to: Holder, *, at: datetime, new_id: NewId) -> NewNotification:
    """Somebody else has claimed the lead."""
    return _to_rep(to, "lead.taken", f"{to.assignment_id}:taken", {}, at=at, new_id=new_id)


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


def taken_away(to: Holder, *, by: str, why: str, at: datetime, new_id: NewId) -> NewNotification:
    """A manager has given the rep's lead to somebody else."""
    return _to_rep(
        to, "lead.taken_away", f"{to.assignment_id}:taken_away", {"by": by, "why": why}, at=at, new_id=new_id
    )


def terms_changed(
    to: Holder, intervention: UUID, details: Mapping[str, Any], *, at: datetime, new_id: NewId
) -> NewNotification:
    """The rep has more time, or need not hurry, or has to again. `details`: `change`, who did it and why, and when."""
    return _to_rep(to, "lead.changed", f"{intervention}:changed", details, at=at, new_id=new_id)


def escalated(
    configuration: Configuration, step: StepFired, assigned_at: datetime, traceparent: str, new_id: NewId
) -> list[NewNotification]:
    """A reminder to the rep, or a word to the manager or to contacts, when that is what the step asks for."""
    told = [endpoint for whole in _told(step) for endpoint in told_by(configuration, whole, step.via)]
    details: dict[str, object] = {
        "rep": step.rep,
        "team": step.team,
        "step": step.step,
        "at": utc(step.fired_at),
        "since": utc(assigned_at),
        "respond_by" if step.clock == "response" else f"{step.clock}_by": utc(step.deadline),
    }
    if step.occurrence > 1:
        details["occurrence"] = step.occurrence
    if step.passed_on:
        details["change"] = "passed_on"
    return [
        NewNotification(
            id=NotificationId(new_id()),
            key=_key(step, endpoint),
            type="lead.reminder" if step.action == "remind_rep" else "lead.escalated",
            endpoint=endpoint,
            details=details,
            traceparent=tracing.child_of(traceparent),
            lead_id=step.lead_id,
            assignment_id=step.assignment_id,
        )
        for endpoint in told
    ]


def _to_rep(
    to: Holder, type_: str, key: str, details: Mapping[str, Any], *, at: datetime, new_id: NewId
) -> NewNotification:
    return NewNotification(
        id=NotificationId(new_id()),
        key=key,
        type=type_,
        endpoint=rep_endpoint(to.rep),
        details={"rep": to.rep, **details, "at": utc(at)},
        traceparent=tracing.child_of(to.traceparent),
        lead_id=to.lead_id,
        assignment_id=to.assignment_id,
    )


def _told(step: StepFired) -> list[str]:
    match step.action:
        case "remind_rep":
            return [rep_endpoint(step.rep)]
        case "notify_manager":
            return [manager_endpoint(step.team)]
        case "notify":
            return [contact_endpoint(each) for each in step.to]
    return []


def _key(step: StepFired, endpoint: str) -> str:
    """One notification for each clock, step, occurrence and endpoint."""
    clock = "" if step.clock == "response" else f"{step.clock}:"
    key = f"{step.assignment_id}:step:{clock}{step.step}"
    # As keys of the response clock were while a step told one person, in one way, once: redelivered, it tells nobody
    # twice.
    if step.occurrence == 1 and not step.via and step.action != "notify":
        return key
    return f"{key}:{step.occurrence}:{endpoint}"


def utc(moment: datetime) -> str:
    """A time as messages write it."""
    return moment.isoformat().replace("+00:00", "Z")
