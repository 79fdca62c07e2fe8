"""Promises of normalising phone numbers and addresses."""

from datetime import UTC, datetime

import phonenumbers
import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from relance.events import Contact
from relance.ids import LeadId, new_id
from relance_ingest.acceptance import NewLead
from relance_ingest.acceptance.events import received, revised
from relance_ingest.domain.contact_details import (
    _PLAIN_EMAIL,
    NotReachable,
    normal_email,
    normal_phone,
    number_and_extension,
    phone_country,
)
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.privacy.finding import Person

LAST_LABELS = st.sampled_from(["com", "de", "c", "COM", "co-m", "xn--p1ai", "12", *SPECIAL_USE_DOMAIN_NAMES])
EXAMPLES = {
    region: number
    for region in ("DE", "AT", "CH", "FR", "US", "GB", "IN", "BR")
    if (number := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
}


@given(st.sampled_from(sorted(EXAMPLES)), st.sampled_from(list(range(4))))
def test_a_number_is_the_same_however_it_is_written(region: str, style: int) -> None:
    """International, national, E.164 or RFC 3966: one person."""
    written = phonenumbers.format_number(EXAMPLES[region], style)
    assert normal_phone(written, region) == phonenumbers.format_number(EXAMPLES[region], 0)


def test_two_people_behind_one_switchboard_are_two() -> None:
    """Each has an extension, however it is written; the number itself stays one that every system takes."""
    five = {normal_phone(f"+1 212-555-0147{way}", None) for way in (" ext. 5", " x5", ";ext=5", " Ext \uff15")}
    assert five == {"+12125550147;ext=5"}
    assert normal_phone("+1 212-555-0147 ext. 7", None) not in five
    assert number_and_extension("+12125550147;ext=5") == ("+12125550147", "5")
    assert number_and_extension("+12125550147") == ("+12125550147", "")
    assert phone_country("+12125550147;ext=5") == "US"


def test_a_lead_keeps_the_extension_and_its_person_is_found_by_it() -> None:
    """What is told has a number in E.164, and the extension where reps and rules see it."""
    contact = Contact(phone=normal_phone("+1 212-555-0147 ext. 5", None))
    lead = NewLead("website", "form", None, contact, {"message": "call me"})
    now = datetime(2026, 11, 25, tzinfo=UTC)
    told = received(lead, LeadId(new_id()), now, Pseudonyms())
    again = revised(told.model_dump(mode="json"), lead, now, Pseudonyms())
    asked = Person(None, normal_phone("+12125550147 x5", None)).keys(Pseudonyms())
    for each in (told, again):
        assert each.contact.phone == "+12125550147"
        assert each.fields == {"message": "call me", "phone_extension": "5"}
        assert list(each.person_keys) == asked
    switchboard = Person(None, "+12125550147").keys(Pseudonyms())
    assert asked != switchboard


def test_the_country_of_a_number_is_found() -> None:
    """Rules may ask for it."""
    assert phone_country("+493012345678") == "DE"
    assert phone_country("+80012345678") is None


@pytest.mark.parametrize("value", ["", "call me", "12", "+49 1", "+999 123456789", "0" * 40])
def test_what_no_phone_can_dial_is_refused_with_a_reason(value: str) -> None:
    """Sales cannot call it."""
    with pytest.raises(NotReachable, match=r"\w"):
        normal_phone(value, "DE")


def test_a_number_without_country_code_needs_a_country() -> None:
    """And the error says so."""
    with pytest.raises(NotReachable, match="country code"):
        normal_phone("030 12345678", None)


@pytest.mark.parametrize(
    "value", ["anna@", "@example.com", "anna example.com", "anna@exa mple.com", "a" * 300 + "@b.de"]
)
def test_what_is_no_address_is_refused(value: str) -> None:
    """With the library's sentence."""
    with pytest.raises(NotReachable, match=r"\w"):
        normal_email(value)


@given(
    st.emails()
    | st.from_regex(_PLAIN_EMAIL, fullmatch=True)
    | st.builds("{}@{}.{}".format, st.text("aA.+_-'ü", max_size=4), st.text("aZ1.-ü", max_size=66), LAST_LABELS)
)
def test_an_address_is_as_the_library_says_although_most_are_not_shown_to_it(value: str) -> None:
    """What is refused, and how the rest is spelt."""
    try:
        expected: str | None = validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        expected = None
    try:
        found: str | None = normal_email(value)
    except NotReachable:
        found = None
    assert found == expected
