"""The generic webhook, as Standard Webhooks says (https://www.standardwebhooks.com): for programs."""

import json
from collections.abc import Sequence
from typing import Any

from standardwebhooks import Webhook
from typing_extensions import override

from relance.clock import Clock
from relance.events import LeadReceived
from relance.ids import AssignmentId
from relance_router.answers.links import AnswerLinks
from relance_router.deliveries.endpoints import signing_secret
from relance_router.deliveries.formats.message_format import MessageFormat, Request
from relance_router.deliveries.notifications import Claimed
from relance_router.deliveries.wording import ANSWERS, tells_the_person

_LATER = {"lead.assigned": ("accepted", "rejected", "won", "lost")}
"""What a program may say of the lead once it has been answered."""


class StandardWebhook(MessageFormat):
    """Signed with the endpoint's secret; while the master secret is being changed, with both."""

    def __init__(self, links: AnswerLinks, master_secrets: Sequence[str], clock: Clock) -> None:
        """The first of `master_secrets` is the current one."""
        self._links = links
        self._master_secrets = master_secrets
        self._clock = clock

    @override
    def request(self, notification: Claimed) -> Request:
        """The signed request; the webhook-id is the notification's, for every attempt."""
        body = self._body(notification)
        now = self._clock()
        signatures = [
            Webhook(signing_secret(master, notification.endpoint)).sign(str(notification.id), now, body)
            for master in self._master_secrets
        ]
        headers = {
            "content-type": "application/json",
            "webhook-id": str(notification.id),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
            "traceparent": notification.traceparent,
        }
        return Request(body.encode(), headers)

    def _body(self, notification: Claimed) -> str:
        details = notification.details
        data: dict[str, Any] = {key: value for key, value in details.items() if key != "at" and value is not None}
        if notification.assignment_id:
            data["assignment_id"] = str(notification.assignment_id)
        if notification.lead:
            data |= _lead(notification.type, notification.lead)
        if tells_the_person(notification.type):
            data |= _touches(notification)
        if notification.assignment_id and notification.type in ANSWERS:
            data["answer"] = self._ways_to_answer(notification.assignment_id, notification.type)
        timestamp = details.get("at") or notification.claimed_at.isoformat()
        return json.dumps({"type": notification.type, "timestamp": timestamp, "data": data}, separators=(",", ":"))

    def _ways_to_answer(self, assignment: AssignmentId, type_: str) -> dict[str, str]:
        token = self._links.token(assignment)
        return {
            "page": self._links.url(token),
            "token": token,
            **{answer: self._links.api(assignment, answer) for answer in (*ANSWERS[type_], *_LATER.get(type_, ()))},
        }


def _touches(notification: Claimed) -> dict[str, Any]:
    if touch := notification.touch:
        return {"touch": _document(touch)}
    return {"touches": [_document(touch) for touch in notification.touches]} if notification.touches else {}


def _document(lead: LeadReceived) -> dict[str, Any]:
    return lead.model_dump(mode="json", exclude_none=True)


def _lead(type_: str, lead: LeadReceived) -> dict[str, Any]:
    if tells_the_person(type_):
        return {"lead": _document(lead)}
    return {"lead_id": str(lead.lead_id), "source": lead.source, "channel": lead.channel}
