"""The events that tell of a lead."""

from datetime import datetime
from typing import Any

from relance.events import Envelope, LeadReceived, LeadRevised
from relance.ids import EventId, LeadId, NewId
from relance_ingest.acceptance.new_lead import NewLead
from relance_ingest.domain.contact_details import identity_key

SOURCE = "relance/ingest"


def received(lead: NewLead, lead_id: LeadId, at: datetime) -> LeadReceived:
    """The lead as it is first told, and stored."""
    return LeadReceived(
        lead_id=lead_id,
        source=lead.source,
        channel=lead.channel,
        campaign=lead.campaign,
        received_at=at,
        # Nobody knows who it is of whom there is neither: such leads must not pass for one person's.
        identity_key=identity_key(lead.contact.email, lead.contact.phone or f"of lead {lead_id}"),
        contact=lead.contact,
        fields=lead.fields,
        call=lead.call,
    )


def revised(stored: dict[str, Any], lead: NewLead, at: datetime) -> LeadRevised:
    """The stored lead (as `LeadReceived` in JSON) with what is now said of it.

    It stays the same person's, whatever contact is given now: events of one lead must keep their order, and their key.
    """
    return LeadRevised(
        lead_id=stored["lead_id"],
        source=lead.source,
        channel=lead.channel,
        campaign=lead.campaign,
        received_at=stored["received_at"],
        identity_key=stored["identity_key"],
        contact=lead.contact,
        fields=lead.fields,
        call=lead.call,
        revised_at=at,
    )


def envelope(data: LeadReceived | LeadRevised, at: datetime, traceparent: str, new_id: NewId) -> Envelope:
    """An event about the person."""
    return Envelope(EventId(new_id()), SOURCE, data.identity_key, at, traceparent, data)
