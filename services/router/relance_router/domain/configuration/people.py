"""Who answers leads, and who shares them."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from relance_router.domain.configuration.contacts import Address, Reachable
from relance_router.domain.configuration.field_types import Day, Document, Filled, Name, Whole, Window, YesNo


class Leave(Document):
    """Days on which a rep takes no leads, in the time zone of the rep's calendar."""

    first: Day = Field(alias="from")
    last: Day = Field(alias="until", description="The last day away.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"the leave ends ({self.last}) before it begins ({self.first})")
        return self


class Capacity(Document):
    """How much a rep takes; what is not given has no limit."""

    open: Whole | None = Field(None, ge=1, description="Leads at once that are not yet contacted.")
    per_hour: Whole | None = Field(None, ge=1, description="Leads within any 60 minutes.")
    per_day: Whole | None = Field(None, ge=1, description="Leads in one day of the rep's time zone.")


def _as_open(value: object) -> object:
    return {"open": value} if isinstance(value, int) else value


class Rep(Reachable):
    """Somebody who answers leads."""

    id: Name
    name: str | None = Field(None, max_length=100, description="What people call them; the id, when not given.")
    available: YesNo = True
    calendar: Name | None = Field(None, description="When they take leads, and their windows count; none: always.")
    leave: tuple[Leave, ...] = ()
    languages: tuple[Name, ...] = Field((), description="ISO 639-1 codes of the languages they sell in: `de`.")
    skills: tuple[Name, ...] = ()
    territories: tuple[Name, ...] = Field((), description="Where they sell.")
    capacity: Annotated[
        Capacity, BeforeValidator(_as_open, json_schema_input_type=Annotated[Whole, Field(ge=1)] | Capacity)
    ] = Field(Capacity.model_construct(), description="How much they take; a number is short for `open`.")


class Member(Document):
    """A rep's part in a team."""

    rep: Name
    weight: Whole = Field(1, ge=1, le=10_000, description="Share of the team's leads, relative to the others'.")


class Team(Document):
    """Reps who share leads."""

    id: Name
    manager: Address = Field(description="Where the team's manager is told of escalations; a URL is a webhook.")
    members: Filled[Member]
    calendar: Name | None = Field(
        None,
        description=(
            "In whose working time windows count for members without a calendar of their own; none: always. It says "
            "nothing of when members take leads: only their own calendar does."
        ),
    )
    choose: Literal["fair", "least_loaded", "broadcast"] = Field(
        "fair",
        description=(
            "fair: by turns, so that everybody gets their weight's share. least_loaded: who has the fewest open leads "
            "for their weight. broadcast: all who can are asked, and the first to claim the lead gets it."
        ),
    )
    claim_within: Window = Field(
        "2m", validate_default=True, description="broadcast: unclaimed for so long, the lead goes by turns."
    )
    overflow: Name | None = Field(
        None, description="The team that takes leads while nobody here can; none: they wait for the next opening."
    )
    pause_after_ignored: Whole | None = Field(
        None, ge=1, description="Who ignores this many leads in a row is paused until resumed; none: never."
    )
