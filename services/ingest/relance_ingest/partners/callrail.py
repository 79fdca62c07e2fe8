"""CallRail: the post-call and the call-modified webhook. The pre-call webhook says `missed` of a call that still rings.

Signature: base64 of the HMAC-SHA1 of the body, in `Signature`. Its time is not signed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from relance_ingest.partners.documents import json_object, text, texts
from relance_ingest.partners.partner import CallStatus, Ignored, PartnerCall, ReceivedRequest, Told, Unreadable
from relance_ingest.partners.signatures import base64_sha1, header, must_match

_KEPT = (
    "customer_city", "customer_state", "customer_country", "tracker_resource_id", "company_resource_id", "source_name",
    "source", "medium", "keywords", "campaign", "landing_page_url", "referring_url", "gclid", "fbclid", "msclkid",
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "first_call", "note", "transcription",
)  # fmt: skip
_DAY = 86_400


def verify(request: ReceivedRequest, secrets: Sequence[str]) -> None:
    """`secrets` are signing keys of the company, from the webhooks' page."""
    given = header(request, "signature")
    must_match([given], [base64_sha1(secret, request.body) for secret in secrets])


def read(request: ReceivedRequest) -> Sequence[Told]:
    """One call; whatever becomes known of it later (a recording, a note) comes with the same id."""
    said = json_object(request.body)
    if "direction" not in said:
        return [Ignored("not_a_call")]
    if said["direction"] != "inbound":
        return [Ignored("outbound")]
    call_id = text(said.get("resource_id")) or text(said.get("id"))
    started_at = _time(text(said.get("start_time")))
    if not call_id or started_at is None:
        raise Unreadable("A call needs resource_id and start_time (with its offset from UTC).")
    return [
        PartnerCall(
            call_id=call_id,
            caller=text(said.get("customer_phone_number")),
            called_number=text(said.get("tracking_phone_number")),
            status=_status(said),
            started_at=started_at,
            duration=timedelta(seconds=_seconds(said.get("duration"))),
            name=text(said.get("customer_name")) or None,
            recording_url=text(said.get("recording_player")) or text(said.get("recording")) or None,
            campaign=text(said.get("utm_campaign")) or text(said.get("campaign")) or None,
            fields=texts({name: said.get(name) for name in _KEPT}),
        )
    ]


def _status(said: dict[str, object]) -> CallStatus:
    if said.get("voicemail") is True:
        return "voicemail"
    return "answered" if said.get("answered") is True else "missed"


def _seconds(value: object) -> int:
    whole = text(value).partition(".")[0]
    return min(int(whole[:6]), _DAY) if whole.isdecimal() else 0


def _time(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
