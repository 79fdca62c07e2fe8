"""Promises of what may be submitted."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from relance.events import Contact
from relance_ingest.domain.submissions import (
    CallSubmission,
    FieldError,
    LeadSubmission,
    call_contact,
    lead_contact,
)

CALL = {
    "call_id": "c-1",
    "caller": "0171 1234567",
    "called_number": "+49 30 12345678",
    "status": "missed",
    "started_at": "2026-11-24T10:00:00+01:00",
    "duration_seconds": 12.5,
}


def test_a_lead_is_normalised_and_its_country_found() -> None:
    """Phone to E.164 by the source's country, which is then the lead's."""
    contact = lead_contact(LeadSubmission(email="Anna@Example.COM", phone="030 12345678"), "DE")
    assert (contact.email, contact.phone, contact.country) == ("Anna@example.com", "+493012345678", "DE")


def test_every_bad_field_is_named() -> None:
    """Not only the first."""
    with pytest.raises(FieldError) as error:
        lead_contact(LeadSubmission(email="anna@", phone="12"), "DE")
    assert set(error.value.faults) == {"email", "phone"}


def test_a_lead_that_nobody_can_answer_is_refused() -> None:
    """Neither e-mail nor phone."""
    with pytest.raises(ValidationError, match="Give an email or a phone"):
        LeadSubmission(name="Anna")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "a\x00@b.de"}, "email"),
        ({"fields": {"note": "a\x00b"}}, "fields"),
        ({"fields": {f"f{place}": "x" for place in range(63)}}, "fields"),
        ({"country": "Germany"}, "country"),
        ({"surname": "typo"}, "surname"),
        ({"name": "x" * 201}, "name"),
    ],
)
def test_what_cannot_be_stored_or_understood_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    """The error's location is the field."""
    with pytest.raises(ValidationError) as error:
        LeadSubmission.model_validate({"email": "anna@example.com", **change})
    assert error.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize(("named", "country"), [("UK", "GB"), ("EN", "EN")])
def test_letters_that_are_no_country_lose_no_number(named: str, country: str) -> None:
    """A form has them to choose from, and nobody who fills it in can mend that; the source's country counts."""
    lead = LeadSubmission(email="maria@example.com", phone="020 7946 0018", country=named)
    contact = lead_contact(lead, "GB")
    assert (contact.phone, contact.country) == ("+442079460018", country)


@pytest.mark.parametrize("field", ["name", "country"])
@pytest.mark.parametrize("before", ["", " ", "\u00a0\n" * 200])
def test_white_space_around_a_text_is_neither_kept_nor_counted(field: str, before: str) -> None:
    """The OpenAPI document says so too: a form's maker who pads fields loses no lead."""
    given = {"email": "anna@example.com", field: f"{before}DE{before}"}
    assert LeadSubmission.model_validate(given).model_dump()[field] == "DE"
    jsonschema.validate(given, LeadSubmission.model_json_schema())
    for wrong in (before, f"{before}{'D' * 201}{before}"):
        refused = {**given, field: wrong}
        with pytest.raises(ValidationError):
            LeadSubmission.model_validate(refused)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(refused, LeadSubmission.model_json_schema())


def test_a_call_is_normalised() -> None:
    """Numbers to E.164, times to UTC."""
    contact, call = call_contact(CallSubmission.model_validate(CALL), "DE")
    assert contact.phone == "+491711234567"
    assert call.called_number == "+493012345678"
    assert call.started_at == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert call.started_at.tzinfo is UTC


def test_a_call_names_both_numbers_when_both_are_wrong() -> None:
    """The phone system's maker mends both at once."""
    with pytest.raises(FieldError) as error:
        call_contact(CallSubmission.model_validate({**CALL, "caller": "12", "called_number": "7"}), "DE")
    assert set(error.value.faults) == {"caller", "called_number"}


@pytest.mark.parametrize("caller", [None, "anonymous", "+"])
def test_a_caller_who_withheld_the_number_is_one(caller: str | None) -> None:
    """Of whom nothing is known but the call."""
    contact, call = call_contact(CallSubmission.model_validate({**CALL, "caller": caller}), "DE")
    assert contact == Contact()
    assert call.called_number == "+493012345678"


@pytest.mark.parametrize(
    "change", [{"started_at": "2026-11-24T10:00:00"}, {"duration_seconds": -1}, {"status": "rang"}, {"call_id": ""}]
)
def test_a_call_of_the_wrong_shape_is_refused(change: dict[str, Any]) -> None:
    """A time without its zone is nobody's time."""
    with pytest.raises(ValidationError):
        CallSubmission.model_validate({**CALL, **change})


def written(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}"


# As JSON text, because a document can say what no Python value can: a name twice, half a character, a number too large.
TEXTS = st.text(min_size=1, max_size=5).map(json.dumps)
OBJECTS = st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(written)
ODDITIES = st.sampled_from(
    ["true", "NaN", "1" * 5000, "", "[]", '"\\ud800"', '"\\u0000"', '"\\x"', '"\t"', '{"a": {}}']
)
MEMBERS = st.one_of(
    st.tuples(st.sampled_from(['"name"', '"company"', '"campaign"', '"phone"']), TEXTS),
    st.tuples(st.just('"country"'), st.sampled_from(['"de"', '" AT\\n"', "null"])),
    st.tuples(st.just('"fields"'), OBJECTS),
    st.tuples(st.sampled_from([f'"{name}"' for name in (*LeadSubmission.model_fields, "surname")]), ODDITIES),
)
DOCUMENTS = st.lists(MEMBERS, max_size=4).map(lambda members: written([('"email"', '"a@example.com"'), *members]))


@given(DOCUMENTS)
@example('{"email": "a@example.com", "email": 1}')
@example('{"email": 1, "email": "a@example.com", "fields": {"a": 1, "a": "b"}}')
def test_a_lead_read_from_its_bytes_is_the_one_that_fastapi_reads(document: str) -> None:
    """What is taken straight from the body, FastAPI would have taken, and as the same lead."""
    try:
        lead = LeadSubmission.model_validate_json(document.encode())
    except ValidationError:
        return
    assert lead == LeadSubmission.model_validate(json.loads(document))
