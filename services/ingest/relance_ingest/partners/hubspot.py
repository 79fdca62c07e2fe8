"""HubSpot: the webhook action of a workflow, which sends a contact with its properties.

What an app's `contact.creation` subscription sends carries an id and no properties: there is nobody in it to reach,
and the contact stands in HubSpot, so it is ignored. Put a webhook action into a workflow instead.

Signature (version 3): base64 of the HMAC-SHA256 of method, URL, body and time (milliseconds, in
`X-HubSpot-Request-Timestamp`), in `X-HubSpot-Signature-v3`.
HubSpot's documents describe version 2 for webhook actions of workflows, and version 3 beside it for apps, so the newest
that was sent counts. Version 2: the SHA-256 of client secret, method, URL and body in hex, in `X-HubSpot-Signature`. It
signs no time.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from relance_ingest.partners.documents import an_object, json_value, objects, person, text
from relance_ingest.partners.partner import (
    Ignored,
    PartnerLead,
    ReceivedRequest,
    Told,
    Unreadable,
    WrongSignature,
)
from relance_ingest.partners.signatures import base64_sha256, header, must_be_recent, must_match

_DECODED = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
"""The escapes that HubSpot undoes in the URL before it signs it."""
_WITHOUT_ID = Ignored("without_id")
"""Beside others it is counted: HubSpot gives up after a refusal, which would lose them."""


def verify(request: ReceivedRequest, secrets: Sequence[str]) -> None:
    """`secrets` are client secrets of the app whose id the workflow's action names."""
    if "x-hubspot-signature-v3" not in request.headers and request.headers.get("x-hubspot-signature-version") == "v2":
        _verify_v2(request, secrets)
        return
    given = header(request, "x-hubspot-signature-v3")
    milliseconds = header(request, "x-hubspot-request-timestamp")
    if not (milliseconds.isascii() and milliseconds.isdecimal()):
        raise WrongSignature("wrong")
    url = _DECODED.sub(lambda escape: unquote(escape[0]), request.url)
    message = (request.method + url).encode() + request.body + milliseconds.encode()
    must_match([given], [base64_sha256(secret, message) for secret in secrets])
    must_be_recent(f"{milliseconds[:-3]}.{milliseconds[-3:]}", request.at)


def _verify_v2(request: ReceivedRequest, secrets: Sequence[str]) -> None:
    message = (request.method + request.url).encode() + request.body
    expected = [hashlib.sha256(secret.encode() + message).hexdigest() for secret in secrets]
    must_match([header(request, "x-hubspot-signature")], expected)


def read(request: ReceivedRequest) -> Sequence[Told]:
    """The contact of a workflow, or each of several events."""
    said = json_value(request.body)
    if not isinstance(said, dict | list):
        raise Unreadable("The body is neither a contact nor a list.")
    told = [_told(contact) for contact in objects([said] if isinstance(said, dict) else said)] or [Ignored("empty")]
    if all(each == _WITHOUT_ID for each in told):
        raise Unreadable("The contact has no id: include vid, id or the property hs_object_id.")
    return told


def _told(contact: Mapping[str, Any]) -> Told:
    # A customised request body has its properties at the top.
    properties = contact.get("properties", contact)
    # HubSpot's own properties last: where there are too many, those of the customer's stay.
    own_last = sorted(an_object(properties).items(), key=lambda item: item[0].startswith("hs_"))
    answers = {name: _value(value) for name, value in own_last}
    contact_id = next(filter(None, (text(contact.get(name)) for name in ("vid", "id", "objectId", "hs_object_id"))), "")
    if "subscriptionType" in contact and not contact.get("properties"):
        return Ignored("without_properties")
    contact_id = contact_id or answers.get("hs_object_id", "")
    if not contact_id:
        return _WITHOUT_ID
    found = person(answers)
    # A contact who fills in another form is another lead; anything else said of the same one is more of it.
    return PartnerLead(key=f"hubspot:{contact_id}:{_submission(contact, answers)}", **found, revisable=True)


def _submission(contact: Mapping[str, Any], answers: Mapping[str, str]) -> str:
    submissions = objects(contact.get("form-submissions"))
    latest = max(submissions, key=lambda each: text(each.get("timestamp")).zfill(20), default={})
    return text(latest.get("conversion-id")) or answers.get("recent_conversion_date", "")


def _value(value: object) -> str:
    """Properties are bare, or stand with their history: `{"value": ..., "versions": [...]}`."""
    return text(value["value"]) if isinstance(value, dict) and "value" in value else text(value)
