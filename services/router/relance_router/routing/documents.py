"""What the operator API tells of decisions and reps; the command line reads the same documents."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from relance.events.person import Recognised
from relance_router.terms.documents import InterventionView


class RuleTriedView(BaseModel):
    """One rule, and why it did not fit; null when it did."""

    rule: str
    failed: str | None


class CandidateView(BaseModel):
    """One rep looked at in one team: chosen, or passed over with the reason."""

    team: str
    rep: str
    weight: int
    chosen: bool
    reason: str
    owed: float | None = Field(description="Leads that the rep was short of their share; below 0: ahead of it.")


class OutcomeView(BaseModel):
    """What was decided: `assigned`, `offered` or `held`."""

    outcome: str
    team: str | None = None
    reps: list[str] = Field(description="Who got it, or may claim it.")
    by: str | None = Field(None, description="What chose: owner, turn, load, claim or manager.")
    because: str
    until: datetime | None = None


class DecisionView(BaseModel):
    """One decision about a lead, in words and in data, made again from what was stored."""

    assignment_id: UUID | None
    state: str = Field(description="Where the assignment stands, or why the lead stands unrouted.")
    decided_at: datetime
    ended_at: datetime | None
    configuration: int
    rule: str
    words: list[str]
    rules_tried: list[RuleTriedView]
    candidates: list[CandidateView]
    decision: OutcomeView
    same_when_made_again: bool


class ConsideredView(BaseModel):
    """An open or closed lead of the same person, and why it was joined or not."""

    lead_id: UUID
    because: str


class JoiningView(BaseModel):
    """Why a lead was given to nobody: it is a touch of another one."""

    lead_id: UUID = Field(description="The lead that it joined.")
    recognised_by: list[Recognised]
    considered: list[ConsideredView]


class TouchView(BaseModel):
    """A lead of the same person that joined."""

    lead_id: UUID
    recognised_by: list[Recognised]


class ExplanationView(BaseModel):
    """Every decision about a lead, and what was done to it by hand; each oldest first."""

    lead_id: UUID
    decisions: list[DecisionView]
    interventions: list[InterventionView] = []
    joined: JoiningView | None = Field(None, description="Set: nobody owns it, whoever owns that lead hears of it.")
    touches: list[TouchView] = []


class RepView(BaseModel):
    """A rep at this moment."""

    rep: str
    name: str | None
    teams: list[str]
    available: bool
    absence: str | None = Field(description="Why the rep takes no lead now.")
    open_leads: int
    paused: str | None = Field(description="Why the rep is paused.")
