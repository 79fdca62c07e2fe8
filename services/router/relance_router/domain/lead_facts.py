"""What rules and owners may ask of a lead."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from relance.events import LeadReceived


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
    known = {
        "source": lead.source,
        "channel": lead.channel,
        "campaign": lead.campaign,
        "country": contact.country,
        "company": contact.company,
        "email_domain": contact.email.rpartition("@")[2] if contact.email else None,
        "call_status": lead.call.status if lead.call else None,
        "called_number": lead.call.called_number if lead.call else None,
    }
    fields = {name: value for name, value in known.items() if value is not None}
    fields |= {f"fields.{name}": value for name, value in lead.fields.items()}
    return LeadFacts(lead.identity_key, lead.received_at, fields)
