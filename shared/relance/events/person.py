"""What the router says when somebody who is being spoken with has submitted again: one person, one conversation."""

from typing import ClassVar, Literal

from pydantic import Field

from relance.events.data import Channel, EventData, UtcDatetime
from relance.ids import LeadId

Recognised = Literal["email", "phone"]


class LeadJoined(EventData):
    """A lead was given to nobody: it is a touch of another one, of the same person, which is still open.

    The touch's own source and campaign keep their part in what the other lead becomes.
    """

    TYPE: ClassVar[str] = "relance.lead.joined.v1"

    lead_id: LeadId = Field(description="The touch.")
    joined: LeadId = Field(description="The open lead; never itself a touch.")
    source: str
    channel: Channel
    campaign: str | None
    recognised_by: tuple[Recognised, ...] = Field(description="What both have in common.")
    received_at: UtcDatetime
    joined_at: UtcDatetime


class LeadSeparated(EventData):
    """Somebody said that a touch was another person, or another matter: from here on it is a lead like any other."""

    TYPE: ClassVar[str] = "relance.lead.separated.v1"

    lead_id: LeadId
    joined: LeadId
    by: str = Field(description="Who said so.")
    separated_at: UtcDatetime
