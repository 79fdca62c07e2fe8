"""Meta lead ads (Facebook, Instagram). The webhook tells only which lead there is; who it is, the Graph API tells.

Signature: `sha256=` and the hex HMAC-SHA256 of the body, in `X-Hub-Signature-256`. Its time is not signed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from relance_ingest.partners.documents import an_object, json_object, objects, person, text, texts
from relance_ingest.partners.partner import Ignored, LeadReference, PartnerLead, ReceivedRequest, Told, WrongSignature
from relance_ingest.partners.signatures import header, hex_sha256, must_match

_DUMMY = "<test lead: dummy data for"
"""What Meta's testing tool writes into every field that it has nothing better for."""
_ID = re.compile("[0-9]{1,50}")
"""Ids are put into a URL, and into an index, whose entries have a limit."""
_SAMPLE_ID = "444444444444"
"""The id in what the app dashboard's «Test» button sends: no such lead exists."""
_KEPT = (
    "created_time", "form_id", "page_id", "ad_id", "ad_name", "adset_id", "adset_name", "campaign_id", "campaign_name",
    "platform", "is_organic",
)  # fmt: skip
ASKED = ",".join(("id", "field_data", *(name for name in _KEPT if name != "page_id")))
"""What is asked of the Graph API about a lead."""


def verify(request: ReceivedRequest, secrets: Sequence[str]) -> None:
    """`secrets` are app secrets."""
    given = header(request, "x-hub-signature-256")
    must_match([given], ["sha256=" + hex_sha256(secret, request.body) for secret in secrets])


def read(request: ReceivedRequest) -> Sequence[Told]:
    """Every lead that is told of; several may come together."""
    said = json_object(request.body)
    changes = [change for entry in objects(said.get("entry")) for change in objects(entry.get("changes"))]
    return [_told(change) for change in changes] or [Ignored("other_event")]


def lead(document: Mapping[str, Any]) -> PartnerLead | Ignored:
    """A lead as the Graph API (or a webhook with `field_data`) writes it."""
    answers = {
        text(answer.get("name")): ", ".join(filter(None, map(text, _values(answer))))
        for answer in objects(document.get("field_data"))
    }
    if any(value.startswith(_DUMMY) for value in answers.values()):
        return Ignored("test")
    kept = texts({name: document.get(name) for name in _KEPT})
    campaign = kept.get("campaign_name") or kept.get("campaign_id")
    found = person(answers)
    return PartnerLead(
        key=_key(text(document.get("id"))),
        **(found | {"campaign": found["campaign"] or campaign, "fields": found["fields"] | kept}),
    )


def _told(change: Mapping[str, Any]) -> Told:
    value = an_object(change.get("value"))
    lead_id = text(value.get("leadgen_id"))
    if change.get("field") != "leadgen" or not _ID.fullmatch(lead_id):
        return Ignored("other_event")
    if lead_id == _SAMPLE_ID:
        return Ignored("test")
    if value.get("field_data"):
        return lead({**value, "id": lead_id})
    return LeadReference(lead_id)


def _values(answer: Mapping[str, Any]) -> list[Any]:
    values = answer.get("values")
    return values if isinstance(values, list) else [values]


def _key(lead_id: str) -> str:
    return f"meta:{lead_id}"


def confirm(mode: str, token: str, verify_tokens: Sequence[str]) -> None:
    """Meta asks once whether the address is ours, before it sends anything to it.

    Raises:
        WrongSignature: whoever asks does not know the verify token.
    """
    if mode != "subscribe" or not token:
        raise WrongSignature("missing")
    must_match([token], verify_tokens)
