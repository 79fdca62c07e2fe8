"""Whoever signs as Standard Webhooks says (www.standardwebhooks.com) and sends a lead as `POST /v1/leads` takes it."""

import binascii
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import ValidationError
from standardwebhooks import Webhook

from relance_ingest.domain.submissions import LeadSubmission
from relance_ingest.partners.partner import PartnerLead, ReceivedRequest, Told, Unreadable, WrongSignature
from relance_ingest.partners.signatures import header, must_be_recent, must_match


def verify(request: ReceivedRequest, secrets: Sequence[str]) -> None:
    """`secrets` are base64, as Standard Webhooks has them, with `whsec_` before them or not."""
    message_id = header(request, "webhook-id")
    seconds = header(request, "webhook-timestamp")
    given = [each for each in header(request, "webhook-signature").split() if each.startswith("v1,")]
    must_be_recent(seconds, request.at)
    try:
        # The library's own `verify` reads the clock.
        at = datetime.fromtimestamp(int(seconds), UTC)
        expected = [Webhook(secret).sign(message_id, at, request.body.decode()) for secret in secrets]
    except (ValueError, binascii.Error) as error:
        raise WrongSignature("wrong") from error
    must_match(given, expected)


def read(request: ReceivedRequest) -> Sequence[Told]:
    """One lead; its message's id is its idempotency key."""
    try:
        lead = LeadSubmission.model_validate_json(request.body)
    except ValidationError as error:
        wrong = "; ".join(f"/{'/'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Unreadable(wrong) from error
    return [PartnerLead(key=request.headers["webhook-id"], **lead.model_dump())]
