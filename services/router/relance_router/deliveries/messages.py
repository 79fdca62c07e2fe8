"""The words of each notification, written when it is sent."""

import json
from typing import Any

from relance.events import LeadReceived
from relance.ids import AssignmentId
from relance_router.answers.links import AnswerLinks
from relance_router.deliveries.notifications import Claimed

_ANSWERABLE = {"lead.assigned", "lead.reminder"}


class Messages:
    """Writes notification bodies."""

    def __init__(self, links: AnswerLinks) -> None:
        self._links = links

    def body(self, notification: Claimed) -> str:
        """The JSON body of a Standard Webhook."""
        data: dict[str, Any] = {
            key: value for key, value in notification.details.items() if key != "at" and value is not None
        }
        if notification.assignment_id:
            data["assignment_id"] = str(notification.assignment_id)
        if notification.lead:
            data |= _lead(notification.type, notification.lead)
        if notification.assignment_id and notification.type in _ANSWERABLE:
            data["answer"] = self._ways_to_answer(notification.assignment_id)
        body = {"type": notification.type, "timestamp": notification.details["at"], "data": data}
        return json.dumps(body, separators=(",", ":"))

    def _ways_to_answer(self, assignment: AssignmentId) -> dict[str, str]:
        token = self._links.token(assignment)
        return {
            "page": self._links.url(token),
            "token": token,
            **{answer: self._links.api(assignment, answer) for answer in ("acknowledge", "contacted", "decline")},
        }


def _lead(type_: str, lead: LeadReceived) -> dict[str, Any]:
    """The rep gets the whole lead with the assignment; everybody else what names it without the person."""
    if type_ == "lead.assigned":
        return {"lead": lead.model_dump(mode="json", exclude_none=True)}
    return {"lead_id": str(lead.lead_id), "source": lead.source, "channel": lead.channel}
