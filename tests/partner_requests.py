"""Partners' requests as the partners make them: signed here by their documents, without the code that is tested."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

SAMPLES = Path(__file__).parent / "samples/partners"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"a secret of tests, for webhooks").decode()

Sign = Callable[[str, bytes, str, datetime], dict[str, str]]
"""Headers for a secret, a body, an address and a moment."""


@dataclass(frozen=True)
class Sample:
    """A recorded payload, and how its partner signs."""

    kind: str
    file: str
    sign: Sign
    header: str | None
    """Without which there is no signature; None where the secret stands in the body."""
    signs_time: bool = False
    secret: str = "a secret of tests"
    channel: str = "partner"

    @property
    def body(self) -> bytes:
        """As recorded."""
        return (SAMPLES / self.file).read_bytes()

    @property
    def content_type(self) -> str:
        """As the partner says it."""
        return "application/x-www-form-urlencoded" if self.file.endswith(".form") else "application/json"

    def changed(self, **changes: Any) -> bytes:
        """The payload with other values at the top."""
        if self.file.endswith(".form"):
            pairs = {**dict(parse_qsl(self.body.decode(), keep_blank_values=True)), **changes}
            return urlencode({name: value for name, value in pairs.items() if value is not None}).encode()
        return json.dumps({**self.document(), **changes}).encode()

    def document(self) -> dict[str, Any]:
        """The payload as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


def _mac(secret: str, message: bytes, how: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), message, how).digest()


def _twilio(secret: str, body: bytes, url: str, _at: datetime) -> dict[str, str]:
    pairs = sorted(parse_qsl(body.decode(), keep_blank_values=True))
    message = url + "".join(name + value for name, value in pairs)
    return {"X-Twilio-Signature": base64.b64encode(_mac(secret, message.encode(), "sha1")).decode()}


def _callrail(secret: str, body: bytes, _url: str, _at: datetime) -> dict[str, str]:
    return {"Signature": base64.b64encode(_mac(secret, body, "sha1")).decode()}


def _google_ads(_secret: str, _body: bytes, _url: str, _at: datetime) -> dict[str, str]:
    return {}


def _meta(secret: str, body: bytes, _url: str, _at: datetime) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + _mac(secret, body).hex()}


def _typeform(secret: str, body: bytes, _url: str, _at: datetime) -> dict[str, str]:
    return {"Typeform-Signature": "sha256=" + base64.b64encode(_mac(secret, body)).decode()}


def _hubspot(secret: str, body: bytes, url: str, at: datetime) -> dict[str, str]:
    milliseconds = str(int(at.timestamp() * 1000))
    message = b"POST" + url.encode() + body + milliseconds.encode()
    signature = base64.b64encode(_mac(secret, message)).decode()
    return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": milliseconds}


def _calendly(secret: str, body: bytes, _url: str, at: datetime) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    return {"Calendly-Webhook-Signature": f"t={seconds},v1={_mac(secret, seconds.encode() + b'.' + body).hex()}"}


def _standard(secret: str, body: bytes, _url: str, at: datetime) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    # The id is the message's own: the same message has the same one.
    message_id = "msg_" + hashlib.sha256(body).hexdigest()[:16]
    message = f"{message_id}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.new(key, message, "sha256").digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1a,{quote('other')} v1,{signature}",
    }


PARTNERS: Mapping[str, Sample] = {
    sample.kind: sample
    for sample in (
        Sample("calendly", "calendly.json", _calendly, "Calendly-Webhook-Signature", signs_time=True),
        Sample("callrail", "callrail.json", _callrail, "Signature", channel="call"),
        Sample("google_ads", "google_ads.json", _google_ads, None, secret="a key of the form"),
        Sample("hubspot", "hubspot.json", _hubspot, "X-HubSpot-Signature-v3", signs_time=True),
        Sample("meta", "meta.json", _meta, "X-Hub-Signature-256"),
        Sample(
            "standard_webhooks",
            "standard_webhooks.json",
            _standard,
            "webhook-signature",
            signs_time=True,
            secret=STANDARD_SECRET,
        ),
        Sample("twilio", "twilio.form", _twilio, "X-Twilio-Signature", channel="call"),
        Sample("typeform", "typeform.json", _typeform, "Typeform-Signature"),
    )
}
