"""Twilio voice: the status callback of a number, and the `action` of `<Dial>` and `<Record>`.

`completed` alone says only that Twilio's own program took the call. Whether somebody answered is told by `<Dial>`
(`DialCallStatus`, `DialBridged`), by `<Record>` (a recording without a dial is a voicemail) and by answering machine
detection (`AnsweredBy`): these may correct what is known of the call, `completed` alone may not.

Signature: base64 of the HMAC-SHA1 of the URL and every POST parameter, sorted, name and value joined
(Twilio, "Webhooks security"). Its time is not signed.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlsplit

from relance_ingest.partners.documents import texts
from relance_ingest.partners.partner import (
    CallStatus,
    Ignored,
    PartnerCall,
    ReceivedRequest,
    Told,
    Unreadable,
    WrongSignature,
)
from relance_ingest.partners.signatures import base64_sha1, header, must_match

_MOST_PARAMETERS = 200
_DAY = 86_400
_MISSED = frozenset({"no-answer", "busy", "failed", "canceled"})
_DIALLED = frozenset({"completed", "answered"})
_PORTS = {"https": 443, "http": 80}
_OVERRIDES = "#rc=5&rp=all"
"""As docs/partners.md has it written behind the address. It is not sent, and no document says whether it is signed."""
_KEPT = {
    "from_city": "FromCity",
    "from_state": "FromState",
    "from_postal_code": "FromZip",
    "from_country": "FromCountry",
    "forwarded_from": "ForwardedFrom",
    "transcription": "TranscriptionText",
    "dial_status": "DialCallStatus",
    "answered_by": "AnsweredBy",
}


def verify(request: ReceivedRequest, secrets: Sequence[str]) -> None:
    """`secrets` are the account's auth tokens."""
    given = header(request, "x-twilio-signature")
    try:
        pairs = _pairs(request.body)
    except Unreadable as error:
        raise WrongSignature("wrong") from error
    parameters = "".join(name + value for name, value in sorted(set(pairs)))
    signed = [(url + parameters).encode() for url in _spellings(request.url)]
    must_match([given], [base64_sha1(secret, message) for secret in secrets for message in signed])


def read(request: ReceivedRequest) -> Sequence[Told]:
    """One call, once it is known how it ended: until then it may still be answered, and nobody is to call back."""
    said = dict(_pairs(request.body))
    if not said.get("CallSid"):
        raise Unreadable("There is no CallSid.")
    if said.get("Direction", "").startswith("outbound"):
        return [Ignored("outbound")]
    if not said.get("From") or not said.get("To"):
        return [Ignored("without_numbers")]  # a recording status callback
    if (ended := _how_it_ended(said)) is None:
        return [Ignored("not_ended")]
    status, conclusive = ended
    duration = _duration(said)
    return [
        PartnerCall(
            call_id=said["CallSid"],
            caller=said["From"],
            called_number=said["To"],
            status=status,
            started_at=_started_at(said, request.at, duration),
            duration=duration,
            name=said.get("CallerName"),
            recording_url=said.get("RecordingUrl"),
            fields=texts({name: said.get(parameter) for name, parameter in _KEPT.items()}),
            conclusive=conclusive,
        )
    ]


def _how_it_ended(said: Mapping[str, str]) -> tuple[CallStatus, bool] | None:
    """The status, and whether it may correct another."""
    if said.get("AnsweredBy", "").startswith("machine"):
        return "voicemail", True
    if dialled := said.get("DialCallStatus"):
        # Picked up, but never put through: a mailbox hung up on, or the key not pressed that a whisper asks for.
        put_through = said.get("DialBridged") != "false"
        return ("answered" if dialled in _DIALLED and put_through else "missed"), True
    if said.get("RecordingUrl"):
        return "voicemail", True
    status = said.get("CallStatus", "")
    if status in _MISSED:
        return "missed", True
    return ("answered", False) if status == "completed" else None


def _duration(said: Mapping[str, str]) -> timedelta:
    for name in ("DialCallDuration", "CallDuration", "RecordingDuration"):
        with suppress(ValueError):
            return timedelta(seconds=min(max(0, int(said.get(name, ""))), _DAY))
    return timedelta()


def _started_at(said: Mapping[str, str], now: datetime, duration: timedelta) -> datetime:
    with suppress(ValueError, OverflowError):
        return parsedate_to_datetime(said.get("Timestamp", "")).astimezone(UTC) - duration
    return now - duration


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise Unreadable("The body is not a urlencoded form.") from error


def _spellings(url: str) -> list[str]:
    """Twilio signs some URLs with their port and some without, whatever was configured."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return [url]  # without a public_url, its host is whatever the sender wrote
    if parts.scheme not in _PORTS or not parts.hostname:
        return [url]
    bare = parts._replace(netloc=parts.hostname).geturl()
    full = parts._replace(netloc=f"{parts.hostname}:{port or _PORTS[parts.scheme]}").geturl()
    return [bare, full, bare + _OVERRIDES, full + _OVERRIDES]
