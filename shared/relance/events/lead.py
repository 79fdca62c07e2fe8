"""What ingest says: a lead has been accepted, or more is known of it."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from relance.events.data import Channel, EventData, Seconds, UtcDatetime
from relance.ids import LeadId


class Contact(BaseModel):
    """The person behind a lead: personal data, which stays out of logs, metrics and dashboards."""

    model_config = ConfigDict(frozen=True)

    name: str | None = None
    email: str | None = Field(None, description="Normalised address.")
    phone: str | None = Field(None, description="E.164.")
    company: str | None = None
    country: str | None = Field(None, description="ISO 3166-1 alpha-2: as given, else that of the phone number.")


class CallDetails(BaseModel):
    """What the phone system knew of a call."""

    model_config = ConfigDict(frozen=True)

    call_id: str
    status: str = Field(description="answered, missed or voicemail")
    called_number: str = Field(description="E.164")
    started_at: UtcDatetime
    duration: Seconds
    recording_url: str | None = None


class _Lead(EventData):
    lead_id: LeadId
    source: str
    channel: Channel
    campaign: str | None = None
    received_at: UtcDatetime
    identity_key: str = Field(description="Pseudonym of the person; one person's leads share it.")
    person_keys: tuple[str, ...] = Field(
        (), description="Pseudonyms of the e-mail address and of the phone number, of those that are known."
    )
    contact: Contact
    fields: dict[str, str] = Field(default_factory=dict, description="Every other field as submitted.")
    call: CallDetails | None = None


class LeadReceived(_Lead):
    """A lead is committed in ingest's database; from here on it is never lost."""

    TYPE: ClassVar[str] = "relance.lead.received.v1"


class LeadRevised(_Lead):
    """More is known of a lead, such as how its call ended: all of it is told anew, the newest event holds."""

    TYPE: ClassVar[str] = "relance.lead.revised.v1"

    revised_at: UtcDatetime
