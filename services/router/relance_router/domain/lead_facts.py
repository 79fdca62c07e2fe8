"""What rules and owners may ask of a lead."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import phonenumbers

from relance.events import LeadReceived

LANGUAGE_FIELDS = ("language", "lang", "locale")
POSTAL_CODE_FIELDS = ("postal_code", "postalcode", "postcode", "zip", "zip_code", "plz")
SCORE_FIELDS = ("score", "lead_score")
"""The form fields, without regard to case, of which the first that is filled in says these."""

_LANGUAGE_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_,;].*)?", re.DOTALL)


@dataclass(frozen=True)
class LeadFacts:
    """A lead as decisions see it: text by field name, missing fields absent; `received_at` in UTC.

    `identity` is the pseudonym of the person.
    """

    identity: str
    received_at: datetime
    fields: Mapping[str, str]


def lead_facts(lead: LeadReceived) -> LeadFacts:
    """The facts of a lead."""
    contact = lead.contact
    form = {name.casefold(): value.strip() for name, value in lead.fields.items()}
    known = {
        "source": lead.source,
        "channel": lead.channel,
        "campaign": lead.campaign,
        "country": contact.country,
        "phone_country": _phone_country(contact.phone) if contact.phone else None,
        "company": contact.company,
        "email_domain": contact.email.rpartition("@")[2] if contact.email else None,
        "call_status": lead.call.status if lead.call else None,
        "called_number": lead.call.called_number if lead.call else None,
        "language": _language(_first(form, LANGUAGE_FIELDS)),
        "postal_code": _first(form, POSTAL_CODE_FIELDS),
        "score": _first(form, SCORE_FIELDS),
    }
    fields = {name: value for name, value in known.items() if value}
    fields |= {f"fields.{name}": value for name, value in lead.fields.items()}
    return LeadFacts(lead.identity_key, lead.received_at, fields)


def _first(form: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((form[name] for name in names if form.get(name)), None)


def _language(written: str | None) -> str | None:
    """`de` of `de-AT` and of `de,en;q=0.8`; what is no language tag stays as it is."""
    tag = _LANGUAGE_TAG.fullmatch(written) if written else None
    return tag[1].lower() if tag else written


def _phone_country(phone: str) -> str | None:
    """The country of an E.164 number; None for numbers of no country."""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return None
    return region if region and region.isalpha() else None
