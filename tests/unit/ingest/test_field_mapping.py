"""Promises of what a form's fields become."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from relance_ingest.domain.campaign_fields import CAMPAIGN_FIELDS
from relance_ingest.domain.field_mapping import FieldMapping, Target, mapped
from relance_ingest.domain.submissions import FieldName, LeadSubmission

NAME: TypeAdapter[str] = TypeAdapter(FieldName)
names = st.one_of(
    st.sampled_from(
        [*get_args(Target), *CAMPAIGN_FIELDS, "E-Mail", "your-email", "EMAIL", "Your message", "a b", "a_b"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
)
forms = st.dictionaries(names, st.text("ab \x00é", max_size=5), max_size=12)
mappings = st.builds(
    FieldMapping,
    st.dictionaries(st.sampled_from(get_args(Target)), st.lists(names, min_size=1, max_size=3).map(tuple)),
    st.frozensets(names, max_size=2),
)
CONTACT_FORM_7 = FieldMapping(
    {"email": ("your-email", "E-Mail"), "name": ("first_name", "last_name"), "phone": ("tel",)}, frozenset({"submit"})
)


@given(forms, mappings)
def test_nothing_that_was_filled_in_is_lost(form: dict[str, str], mapping: FieldMapping) -> None:
    """Every answer stands somewhere, except what the source ignores and doubles of campaign fields."""
    result = mapped(form, mapping)
    kept = " ".join([*result.lead.values(), *result.fields.values(), *result.campaign.values()])
    ignored = {name.casefold() for name in mapping.ignored}
    for name, value in form.items():
        spelt = name.strip().casefold()
        if value.strip() and spelt not in ignored and spelt not in CAMPAIGN_FIELDS:
            assert value.strip() in kept


@given(forms, mappings)
def test_every_field_gets_a_name_that_can_be_stored_and_asked_for(form: dict[str, str], mapping: FieldMapping) -> None:
    """However the form calls it, and none stands for two."""
    result = mapped(form, mapping)
    for name in result.fields:
        NAME.validate_python(name)
        assert result.called[name] in form
    assert not result.fields.keys() & result.campaign.keys()
    assert len(result.fields) <= len(form)


@given(forms)
def test_a_second_sorting_changes_nothing(form: dict[str, str]) -> None:
    """What has our names already keeps them."""

    def flat(form: dict[str, str]) -> dict[str, str]:
        result = mapped(form, FieldMapping())
        return {**result.lead, **result.fields, **result.campaign}

    once = flat(form)
    assert {name: value.strip() for name, value in flat(once).items()} == {
        name: value.strip() for name, value in once.items()
    }


def test_a_form_that_exists_needs_no_change() -> None:
    """Its own names in any case, parts of a name joined in the mapping's order, the button dropped."""
    form = {
        "Last_Name": "Huber",
        "first_name": " Maria ",
        "YOUR-EMAIL": "maria@example.com",
        "tel": "030 12345678",
        "Your message": "Hello",
        "submit": "Send",
        "budget": " ",
    }
    result = mapped(form, CONTACT_FORM_7)
    assert result.lead == {"name": "Maria Huber", "email": "maria@example.com", "phone": "030 12345678"}
    assert result.fields == {"Your_message": "Hello"}
    assert (result.called["email"], result.called["name"]) == ("YOUR-EMAIL", "first_name")


def test_the_first_name_that_is_filled_in_counts_and_the_others_are_kept() -> None:
    """In the mapping's order; a lead's own name comes last."""
    form = {"email": "own@example.com", "E-Mail": "second@example.com", "your-email": ""}
    result = mapped(form, CONTACT_FORM_7)
    assert result.lead == {"email": "second@example.com"}
    assert result.fields == {"email": "own@example.com"}
    assert result.called["email"] == "E-Mail"


def test_a_country_in_words_is_kept_as_a_field() -> None:
    """Nobody who fills in a form knows its code, and nobody could mend it."""
    assert mapped({"country": "Deutschland"}, FieldMapping()).fields == {"country": "Deutschland"}
    assert mapped({"Country": "de"}, FieldMapping()).lead == {"country": "de"}
    assert mapped({"country": "UK"}, FieldMapping()).lead == {"country": "UK"}
    assert mapped({"country": "EN"}, FieldMapping()).fields == {"country": "EN"}


def test_odd_names_that_become_the_same_are_told_apart() -> None:
    """Neither answer is lost."""
    form = {"a b": "1", "a=b": "2", "x" * 70: "3", "x" * 71: "4"}
    assert mapped(form, FieldMapping()).fields == {"a_b": "1", "a_b_2": "2", "x" * 64: "3", "x" * 62 + "_2": "4"}


def test_campaign_fields_are_found_in_any_case_and_in_the_landing_page() -> None:
    """What has a field of its own goes before the address."""
    form = {
        "UTM_Source": "newsletter",
        "gclid": " ",
        "landing_page": "https://www.example.com/?utm_source=ads&utm_campaign=spring&gclid=x1&email=a@b.de",
        "Referrer": "https://search.example.com/",
    }
    result = mapped(form, FieldMapping())
    assert result.lead == {"campaign": "spring"}
    assert result.campaign == {
        "utm_source": "newsletter",
        "utm_campaign": "spring",
        "gclid": "x1",
        "referrer": form["Referrer"],
        "landing_page": form["landing_page"],
    }
    assert result.fields == {}


@pytest.mark.parametrize("value", ["http://[", "x" * 9000, "a\x00b", "http://a/?" + "a=1&" * 200])
def test_no_campaign_field_refuses_a_lead(value: str) -> None:
    """Whoever fills in the form has not written it and cannot mend it."""
    form = {"email": "a@example.com", "landing_page": value, "utm_campaign": value}
    result = mapped(form, FieldMapping())
    LeadSubmission.model_validate({**result.lead, "fields": result.campaign})
    assert result.campaign["landing_page"]
    assert result.lead["campaign"]


def test_the_forms_own_campaign_goes_before_that_of_the_advertisement() -> None:
    """It was asked for by that name."""
    assert mapped({"campaign": "own", "utm_campaign": "ad"}, FieldMapping()).lead == {"campaign": "own"}
