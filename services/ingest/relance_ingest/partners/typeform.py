"""Typeform: a response, with its hidden fields.

Signature: `sha256=` and the base64 HMAC-SHA256 of the body, in `Typeform-Signature`. Its time is not signed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from relance_ingest.partners.documents import an_object, json_object, objects, person, text, texts
from relance_ingest.partners.partner import Ignored, PartnerLead, ReceivedRequest, Told, Unreadable
from relance_ingest.partners.signatures import base64_sha256, header, must_match

_MADE_UP = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-hjkmnp-tv-z]{26}", re.IGNORECASE)
"""A reference that nobody chose: Typeform's own, a UUID or a ULID."""
_BY_TYPE = {"email": "email", "phone_number": "phone"}
_SAMPLE_ADDRESS = "an_account@example.com"
"""What «send test request» answers every e-mail question with."""


def verify(request: ReceivedRequest, secrets: Sequence[str]) -> None:
    """`secrets` are those of the form's webhook."""
    given = header(request, "typeform-signature")
    must_match([given], ["sha256=" + base64_sha256(secret, request.body) for secret in secrets])


def read(request: ReceivedRequest) -> Sequence[Told]:
    """One response. E-mail and phone are found by the type of their question, the rest by its reference or title."""
    said = json_object(request.body)
    if said.get("event_type") != "form_response":
        return [Ignored("other_event")]
    response = an_object(said.get("form_response"))
    token = text(response.get("token")) or text(said.get("event_id"))
    if not token:
        raise Unreadable("The response has neither token nor event_id.")
    definition = an_object(response.get("definition"))
    questions = {text(question.get("id")): question for question in objects(definition.get("fields"))}
    answers = [(_name(answer, questions), _value(answer), text(answer.get("type"))) for answer in _answers(response)]
    if {value for _, value, type_ in answers if type_ == "email"} == {_SAMPLE_ADDRESS}:
        return [Ignored("test")]
    given: dict[str, str] = {}
    typed: dict[str, str] = {}
    for name, value, type_ in answers:
        if (column := _BY_TYPE.get(type_)) and column not in given:
            given[column] = value
        else:
            typed[name] = f"{typed[name]}, {value}" if name in typed else value
    hidden = {
        (f"hidden_{name}" if name in typed else name): value
        for name, value in texts(an_object(response.get("hidden"))).items()
    }
    found = person(hidden | typed, **given)
    form = texts({"form_id": response.get("form_id"), "form_title": definition.get("title")})
    return [PartnerLead(key=f"typeform:{token}", **{**found, "fields": found["fields"] | form})]


def _answers(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    return objects(response.get("answers"))


def _name(answer: Mapping[str, Any], questions: Mapping[str, Mapping[str, Any]]) -> str:
    """Parts of a contact question say what they are; others have a reference, if the form's maker chose one."""
    field = an_object(answer.get("field"))
    question = questions.get(text(field.get("id")), {})
    reference, title = text(field.get("ref")), text(question.get("title")).strip()
    chosen = "" if title and _MADE_UP.fullmatch(reference) else reference
    return text(question.get("subfield_key")) or chosen or title or "answer"


def _value(answer: Mapping[str, Any]) -> str:
    value = answer.get(text(answer.get("type")))
    if isinstance(value, dict):
        if value.keys().isdisjoint({"label", "labels", "other"}):  # a payment
            return ", ".join(f"{name}: {part}" for name, part in texts(value).items())
        labels = value.get("labels") if isinstance(value.get("labels"), list) else [value.get("label")]
        return ", ".join(filter(None, (text(label) for label in [*(labels or []), value.get("other")])))
    return text(value)
