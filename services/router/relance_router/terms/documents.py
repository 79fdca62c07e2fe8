"""What the operator API takes and tells of changes by hand; the command line reads the same documents."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from relance.events.assignment import ClockName
from relance.moments import Moment
from relance.storable import IN_WORDS, STORABLE
from relance_router.domain.configuration.field_types import Window
from relance_router.domain.interventions import LONGEST


def _sane(duration: timedelta) -> timedelta:
    if duration > LONGEST:
        raise ValueError(f"at most {LONGEST.days}d")
    return duration


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies beyond the calendar") from error


class InterventionOrder(BaseModel):
    """Who wants something done, and why: both stand in the record."""

    model_config = ConfigDict(extra="forbid")

    by: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), IN_WORDS]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), IN_WORDS]


class Extension(InterventionOrder):
    """More time on one clock."""

    clock: ClockName = "response"
    by_how_long: Annotated[Window, AfterValidator(_sane)] = Field(description="As in routing.yaml: `30m`, `1h30m`.")


class Holding(InterventionOrder):
    """A hold."""

    until: Annotated[Moment, AfterValidator(_in_utc)] | None = Field(
        None, description="When it ends by itself; null: when it is released."
    )


class Release(InterventionOrder):
    """The end of a hold."""


class Reassigning(InterventionOrder):
    """Another rep."""

    to: Annotated[str, Field(min_length=1, max_length=100), STORABLE] | None = Field(
        None, description="The rep who gets the lead; null: whoever is next and has not had it."
    )


class Separating(InterventionOrder):
    """A touch is a lead of its own."""


class SeparatedView(BaseModel):
    """Who has what was a touch."""

    lead_id: UUID
    joined: UUID = Field(description="The lead that it had joined.")
    assignment_id: UUID | None = Field(description="Null: it is offered, or stands unrouted.")
    rep: str | None = Field(description="Null: as above.")
    team: str | None = Field(description="Null: it stands unrouted.")
    offered_to: list[str] = Field(description="The reps who may claim it, where the team chooses by broadcast.")
    unrouted: str | None = Field(None, description="Why nobody has it.")


class ReassignedView(BaseModel):
    """Who has the lead now."""

    lead_id: UUID
    former: str | None = Field(description="The rep who had it; null: it stood unrouted.")
    assignment_id: UUID | None = Field(description="Null: it is offered.")
    rep: str | None = Field(description="Null: it is offered.")
    team: str
    offered_to: list[str] = Field(description="The reps who may claim it, where the team chooses by broadcast.")


class TermsView(BaseModel):
    """The terms of an assignment as they are now."""

    lead_id: UUID
    assignment_id: UUID
    rep: str
    team: str
    revision: int = Field(description="How often they have changed.")
    on_hold: bool
    hold_until: datetime | None = Field(description="When the hold ends by itself.")
    respond_by: datetime | None = Field(description="Null: not known before the hold is released.")
    contact_by: datetime | None = Field(description="Null: as above, or there is no such clock.")
    disposition_by: datetime | None = Field(description="Null: as above.")


class InterventionView(BaseModel):
    """Something done to a lead by hand."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    lead_id: UUID
    assignment_id: UUID | None
    what: str = Field(description="extended, held, released, reassigned or separated.")
    by: str
    reason: str
    details: dict[str, Any] = Field(description="Of an extension its clock and seconds, of a hold until when ...")
    at: datetime


class InterventionsView(BaseModel):
    """Everything done to a lead by hand, the oldest first."""

    lead_id: UUID
    interventions: list[InterventionView]
