"""Calendly: somebody booked a meeting.

Signature: `t=<seconds>,v1=<hex>` in `Calendly-Webhook-Signature`, the HMAC-SHA256 of the time, a dot and the body.
"""

from collections.abc import Sequence

from relance_ingest.partners.documents import an_object, json_object, objects, person, text, texts
from relance_ingest.partners.partner import (
    Ignored,
    PartnerLead,
    ReceivedRequest,
    Told,
    Unreadable,
    WrongSignature,
)
from relance_ingest.partners.signatures import header, hex_sha256, must_be_recent, must_match


def verify(request: ReceivedRequest, secrets: Sequence[str]) -> None:
    """`secrets` are signing keys of the webhook subscription."""
    parts = [part.strip().partition("=") for part in header(request, "calendly-webhook-signature").split(",")]
    given = {name: value for name, _, value in parts}
    if "t" not in given or "v1" not in given:
        raise WrongSignature("missing")
    message = given["t"].encode() + b"." + request.body
    must_match([given["v1"]], [hex_sha256(secret, message) for secret in secrets])
    must_be_recent(given["t"], request.at)


def read(request: ReceivedRequest) -> Sequence[Told]:
    """One booking. Moving it to another time makes a new invitee in Calendly, and no new lead here."""
    said = json_object(request.body)
    if said.get("event") != "invitee.created":
        return [Ignored("other_event")]
    invitee = an_object(said.get("payload"))
    if invitee.get("old_invitee"):
        return [Ignored("rescheduled")]
    uri = text(invitee.get("uri"))
    if not uri:
        raise Unreadable("The invitee has no uri.")
    meeting = an_object(invitee.get("scheduled_event"))
    answers = {
        text(each.get("question")): text(each.get("answer")) for each in objects(invitee.get("questions_and_answers"))
    }
    booked = {
        "meeting": meeting.get("name"),
        "meeting_at": meeting.get("start_time"),
        "timezone": invitee.get("timezone"),
    }
    known = {
        "name": invitee.get("name"),
        "first_name": invitee.get("first_name"),
        "last_name": invitee.get("last_name"),
        "email": invitee.get("email"),
        "phone": invitee.get("text_reminder_number"),
    }
    tracked = texts(an_object(invitee.get("tracking")))
    return [PartnerLead(key=f"calendly:{uri}", **person(answers | tracked | texts(known) | texts(booked)))]
