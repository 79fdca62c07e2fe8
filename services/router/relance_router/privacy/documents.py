"""What the router holds of leads, as it is exported."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class HeldRevision(_Row):
    """What was known of the lead before it was revised, the first time being 0."""

    revision: int
    data: dict[str, Any]


class HeldAssignment(_Row):
    """An assignment of the lead."""

    assignment_id: UUID
    ordinal: int
    rep: str
    team: str
    rule: str
    why: str = Field(description="Why this rep.")
    state: str
    disposition: str | None
    assigned_at: AwareDatetime
    respond_by: AwareDatetime | None
    ended_at: AwareDatetime | None
    configuration: int
    explanation: dict[str, Any] = Field(description="What the decision was made of.")


class HeldUnrouted(_Row):
    """That nobody has the lead."""

    reason: str
    since: AwareDatetime
    tried_at: AwareDatetime
    until: AwareDatetime | None
    teams: list[str]
    explanation: dict[str, Any]


class HeldOffer(_Row):
    """That a rep was offered the lead."""

    offer_id: UUID
    rep: str
    team: str
    state: str
    offered_at: AwareDatetime
    until: AwareDatetime


class HeldAnswer(_Row):
    """What a rep said."""

    assignment_id: UUID
    answer: str
    code: str | None = Field(description="Why, from the list.")
    words: str | None = Field(description="The rep's own.")
    responded_at: AwareDatetime


class HeldDisposition(_Row):
    """What a rep said the lead was worth."""

    assignment_id: UUID
    disposition: str
    reason: str | None = Field(description="From the list.")
    words: str | None = Field(description="The rep's own.")
    recorded_at: AwareDatetime


class HeldIntervention(_Row):
    """What an operator did by hand."""

    intervention_id: UUID
    assignment_id: UUID | None
    what: str
    by: str
    reason: str
    details: dict[str, Any]
    at: AwareDatetime


class HeldNotification(_Row):
    """What somebody was told, beside the lead itself."""

    notification_id: UUID
    assignment_id: UUID | None
    type: str
    endpoint: str
    state: str
    details: dict[str, Any]
    created_at: AwareDatetime
    settled_at: AwareDatetime | None
    last_error: str | None


class HeldAttempt(_Row):
    """An attempt to tell it, and the beginning of the answer."""

    notification_id: UUID
    way: str
    at: AwareDatetime
    status: int | None
    error: str | None
    response: str | None


class HeldLead(BaseModel):
    """All that the router holds of a lead."""

    lead_id: UUID
    routed_at: AwareDatetime
    erased_at: AwareDatetime | None = Field(description="Since then nothing here says who it was.")
    company_domain: str | None
    data: dict[str, Any] = Field(description="The lead as it was received: contact, fields, and where it came from.")
    joined: UUID | None = Field(description="The lead of which this one is a touch, by the same person.")
    replaced: list[HeldRevision] = []
    assignments: list[HeldAssignment] = []
    unrouted: list[HeldUnrouted] = []
    offers: list[HeldOffer] = []
    answers: list[HeldAnswer] = []
    dispositions: list[HeldDisposition] = []
    interventions: list[HeldIntervention] = []
    notifications: list[HeldNotification] = []
    delivery_attempts: list[HeldAttempt] = []


class Export(BaseModel):
    """All that the router holds of some leads, in the order of receipt; leads that it does not know are missing."""

    leads: list[HeldLead]
