"""Promises of what rules see of a lead."""

from datetime import UTC, datetime

import pytest

from relance.events import LeadReceived
from relance.events.lead import Contact
from relance.ids import LeadId, new_id
from relance_router.domain.lead_facts import lead_facts


def fields_of(contact: Contact, **form: str) -> dict[str, str]:
    received = LeadReceived(
        lead_id=LeadId(new_id()),
        source="website",
        channel="form",
        received_at=datetime(2026, 11, 23, tzinfo=UTC),
        identity_key="somebody",
        contact=contact,
        fields=form,
    )
    return dict(lead_facts(received).fields)


def test_what_a_lead_does_not_have_is_absent() -> None:
    """So that no rule takes an empty text for an answer."""
    assert fields_of(Contact(company=""), campaign="") == {
        "source": "website",
        "channel": "form",
        "fields.campaign": "",
    }


@pytest.mark.parametrize(
    ("phone", "country"),
    [("+493012345678", "DE"), ("+12125551234", "US"), ("+14165551234", "CA"), ("+80012345678", None), ("+999", None)],
)
def test_the_country_of_the_phone_number_is_known(phone: str, country: str | None) -> None:
    """Also where several countries share a prefix; not for numbers of no country."""
    assert fields_of(Contact(phone=phone)).get("phone_country") == country


@pytest.mark.parametrize(
    ("form", "field", "value"),
    [
        ({"language": "de"}, "language", "de"),
        ({"Locale": "de-AT"}, "language", "de"),
        ({"lang": "FR_ch"}, "language", "fr"),
        ({"lang": "en-GB,en;q=0.8"}, "language", "en"),
        ({"lang": "", "locale": "it"}, "language", "it"),
        ({"language": "Deutsch"}, "language", "Deutsch"),
        ({"PLZ": " 80331 "}, "postal_code", "80331"),
        ({"zip": "10001"}, "postal_code", "10001"),
        ({"lead_score": "87"}, "score", "87"),
    ],
)
def test_language_postal_code_and_score_are_found_under_their_usual_names(
    form: dict[str, str], field: str, value: str
) -> None:
    """Forms call them as they like; what was sent stays as it is under `fields.`."""
    found = fields_of(Contact(), **form)
    assert found[field] == value
    assert {name.removeprefix("fields."): each for name, each in found.items() if name.startswith("fields.")} == form


def test_the_domain_of_the_mail_address_is_known() -> None:
    """What stands behind the last @."""
    assert fields_of(Contact(email="maria@mail.example.com"))["email_domain"] == "mail.example.com"
