"""Leads that were routed, as rehearsals want them: what rules may ask, what became of them, and nobody's name."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from relance_router.domain.lead_facts import LeadFacts


class PastLead(BaseModel):
    """A lead, its first assignment and what followed; times in seconds."""

    model_config = ConfigDict(frozen=True)

    lead_id: UUID
    received_at: datetime
    identity: str = Field(description="Pseudonym of the person, the same for all their leads.")
    person_keys: tuple[str, ...] | None = Field(
        None, description="Pseudonyms of e-mail address and phone number; null: not known, as of leads of old."
    )
    joined: UUID | None = Field(
        None, description="The lead of which it is a touch. Nobody was given it: its first response is that lead's."
    )
    fields: dict[str, str] = Field(description="What rules may ask: the lead's fields by name.")
    rule: str | None = Field(description="The rule of the first assignment; null, with all the others: nobody had it.")
    team: str | None
    rep: str | None
    configuration: int | None
    assigned_at: datetime | None
    first_response_seconds: float | None = Field(
        description="From receipt, of a touch from its lead's first assignment, until somebody acknowledged or "
        "contacted; null: nobody has."
    )
    in_hand_seconds: float | None = Field(
        description="From the first assignment until its rep contacted the lead or lost it; null: still in hand."
    )
    over_seconds: float | None = Field(
        None, description="From receipt until sales said: rejected, won or lost; null: it is open."
    )
    declines: int
    reassignments: int = Field(description="How often it was taken from a rep who ignored it.")

    @property
    def facts(self) -> LeadFacts:
        """The lead as decisions see it."""
        return LeadFacts(self.identity, self.received_at, self.fields)
