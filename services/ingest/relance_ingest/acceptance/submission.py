"""A submission on its way into the database: all that is written of it, prepared before its transaction."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime

from relance import tracing
from relance.events import Envelope
from relance.ids import LeadId, NewId
from relance_ingest.acceptance.events import envelope, received
from relance_ingest.acceptance.new_lead import NewLead
from relance_ingest.domain.pseudonyms import Pseudonyms


@dataclass(frozen=True)
class Submission:
    """It becomes the lead of this id, unless its key is known. Committed again it is the same lead."""

    lead: NewLead
    id: LeadId
    key: tuple[str, str]
    """Source and idempotency key."""
    fingerprint: bytes
    event: Envelope
    person_keys: tuple[str, ...]
    """Those of the event; the first is the key of all events of the lead, also when nobody is known."""

    def saying(self, lead: NewLead) -> "Submission":
        """The same, with more that is known of its lead."""
        return replace(self, lead=lead, fingerprint=fingerprint(lead))


def submission(lead: NewLead, at: datetime, new_id: NewId, pseudonyms: Pseudonyms) -> Submission:
    """What is to be written of a lead that came at this moment."""
    lead_id = LeadId(new_id())
    key = (lead.source, lead.idempotency_key or str(lead_id))
    told = received(lead, lead_id, at, pseudonyms)
    event = envelope(told, at, tracing.current(), new_id)
    return Submission(lead, lead_id, key, fingerprint(lead), event, told.person_keys or (told.identity_key,))


def fingerprint(lead: NewLead) -> bytes:
    """What makes two submissions the same: everything that was said, whatever the order of fields."""
    said = {
        "channel": lead.channel,
        "campaign": lead.campaign,
        "contact": lead.contact.model_dump(mode="json"),
        "fields": lead.fields,
        "call": lead.call.model_dump(mode="json") if lead.call else None,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
