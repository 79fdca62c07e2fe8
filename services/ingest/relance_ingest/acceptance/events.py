"""The events that tell of a lead."""

from datetime import datetime
from typing import Any

from relance.events import Contact, Envelope, LeadReceived, LeadRevised
from relance.ids import EventId, LeadId, NewId
from relance_ingest.acceptance.new_lead import NewLead
from relance_ingest.domain.contact_details import number_and_extension
from relance_ingest.domain.pseudonyms import Pseudonyms

SOURCE = "relance/ingest"


_EXTENSION = "phone_extension"


def received(lead: NewLead, lead_id: LeadId, at: datetime, pseudonyms: Pseudonyms) -> LeadReceived:
    """The lead as it is first told, and stored."""
    contact, fields = _extension_apart(lead)
    person_keys = pseudonyms.person_keys(lead.contact.email, lead.contact.phone)
    return LeadReceived(
        lead_id=lead_id,
        source=lead.source,
        channel=lead.channel,
        campaign=lead.campaign,
        received_at=at,
        identity_key=person_keys[0] if person_keys else pseudonyms.of_nobody(str(lead_id)),
        person_keys=person_keys,
        contact=contact,
        fields=fields,
        call=lead.call,
    )


def revised(stored: dict[str, Any], lead: NewLead, at: datetime, pseudonyms: Pseudonyms) -> LeadRevised:
    """The stored lead (as `LeadReceived` in JSON) with what is now said of it.

    Its key stays the same, whatever contact is given now: events of one lead must keep their order.
    """
    contact, fields = _extension_apart(lead)
    return LeadRevised(
        lead_id=stored["lead_id"],
        source=lead.source,
        channel=lead.channel,
        campaign=lead.campaign,
        received_at=stored["received_at"],
        identity_key=stored["identity_key"],
        person_keys=pseudonyms.person_keys(lead.contact.email, lead.contact.phone),
        contact=contact,
        fields=fields,
        call=lead.call,
        revised_at=at,
    )


def _extension_apart(lead: NewLead) -> tuple[Contact, dict[str, str]]:
    number, extension = number_and_extension(lead.contact.phone or "")
    if not extension:
        return lead.contact, lead.fields
    return lead.contact.model_copy(update={"phone": number}), {**lead.fields, _EXTENSION: extension}


def envelope(data: LeadReceived | LeadRevised, at: datetime, traceparent: str, new_id: NewId) -> Envelope:
    """An event about the person."""
    return Envelope(EventId(new_id()), SOURCE, data.identity_key, at, traceparent, data)
