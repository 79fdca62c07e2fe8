"""What reps and managers are told: the body of each notification."""

import json
from datetime import datetime

from relance import tracing
from relance.events import LeadReceived, StepFired
from relance.ids import AssignmentId, NewId, NotificationId
from relance_router.answers.links import AnswerLinks
from relance_router.deliveries.endpoints import manager_endpoint, rep_endpoint
from relance_router.deliveries.notifications import NewNotification
from relance_router.domain.routing import Assigned


class Messages:
    """Writes notification bodies: `type`, `timestamp` and `data`, as Standard Webhooks recommends."""

    def __init__(self, links: AnswerLinks, new_id: NewId) -> None:
        self._links = links
        self._new_id = new_id

    def assignment(
        self,
        assignment: AssignmentId,
        lead: LeadReceived,
        assigned: Assigned,
        *,
        assigned_at: datetime,
        ordinal: int,
        traceparent: str,
    ) -> NewNotification:
        """The rep has a new lead."""
        data = {
            "assignment_id": str(assignment),
            "ordinal": ordinal,
            "rep": assigned.rep,
            "team": assigned.team,
            "why": f"rule {assigned.rule!r}, your turn in team {assigned.team!r}",
            "respond_by": _utc(assigned_at + assigned.promise.respond_within),
            "lead": lead.model_dump(mode="json", exclude_none=True),
            "answer": self._ways_to_answer(assignment),
        }
        return NewNotification(
            id=NotificationId(self._new_id()),
            assignment_id=assignment,
            kind="assignment",
            endpoint=rep_endpoint(assigned.rep),
            payload=_body("lead.assigned", assigned_at, data),
            traceparent=tracing.child_of(traceparent),
        )

    def escalation(self, step: StepFired, lead: LeadReceived, traceparent: str) -> NewNotification | None:
        """A reminder to the rep or a word to the manager, when that is what the step asks for."""
        data: dict[str, object] = {
            "assignment_id": str(step.assignment_id),
            "lead_id": str(step.lead_id),
            "rep": step.rep,
            "team": step.team,
            "step": step.step,
            "respond_by": _utc(step.deadline),
            "source": lead.source,
            "channel": lead.channel,
        }
        if step.action == "remind_rep":
            endpoint, type_ = rep_endpoint(step.rep), "lead.reminder"
            data["answer"] = self._ways_to_answer(step.assignment_id)
        elif step.action == "notify_manager":
            endpoint, type_ = manager_endpoint(step.team), "lead.escalated"
        else:
            return None
        return NewNotification(
            id=NotificationId(self._new_id()),
            assignment_id=step.assignment_id,
            kind=f"step:{step.step}",
            endpoint=endpoint,
            payload=_body(type_, step.fired_at, data),
            traceparent=tracing.child_of(traceparent),
        )

    def _ways_to_answer(self, assignment: AssignmentId) -> dict[str, str]:
        token = self._links.token(assignment)
        return {
            "page": self._links.url(token),
            "token": token,
            **{answer: self._links.api(assignment, answer) for answer in ("acknowledge", "contacted", "decline")},
        }


def _body(type_: str, at: datetime, data: dict[str, object]) -> str:
    return json.dumps({"type": type_, "timestamp": _utc(at), "data": data}, separators=(",", ":"))


def _utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
