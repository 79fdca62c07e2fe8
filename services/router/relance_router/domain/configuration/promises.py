"""Where leads go, and how soon they are answered there."""

from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from relance_router.domain.configuration.conditions import LEAD_FIELDS, Condition, is_lead_field
from relance_router.domain.configuration.field_types import Document, Name, Share, Window, YesNo


def _lead_field(name: str) -> str:
    if not is_lead_field(name):
        raise ValueError(f"{name!r} is no field of a lead: use {', '.join(LEAD_FIELDS)} or fields.<name>")
    return name


class Requirements(Document):
    """What a rep must have to get the lead; who lacks it is passed over."""

    skills: tuple[Name, ...] = Field((), description="All of these.")
    language: Annotated[str, AfterValidator(_lead_field)] | None = Field(
        None, description="The lead's field that names the language which the rep must speak: `language`."
    )
    territory: YesNo = Field(False, description="The rep must sell where the lead is.")


class Promise(Document):
    """Where leads go, and how soon they are answered there."""

    team: Name
    respond_within: Window
    contact_within: Window | None = None
    decide_within: Window | None = None
    escalation: Name
    require: Requirements = Requirements.model_construct()
    sticky: YesNo = Field(True, description="Whether known owners come before anybody's turn.")


class Arm(Document):
    """One arm of a split: a share of the leads, and what is different for them."""

    team: Name
    share: Share
    respond_within: Window | None = None
    contact_within: Window | None = None
    decide_within: Window | None = None
    escalation: Name | None = None


class Rule(Document):
    """The first rule whose every condition holds decides."""

    id: Name
    when: Condition = Field(description="What a lead must be like; `{}` is every lead.")
    team: Name | None = Field(None, description="Where its leads go; or give `split`.")
    split: tuple[Arm, ...] = Field((), description="Arms of a trial. The same person always falls into the same arm.")
    respond_within: Window
    contact_within: Window | None = Field(
        None, description="How soon the lead is contacted; none: nobody waits for it."
    )
    decide_within: Window | None = Field(
        None, description="How soon sales says what the lead was worth; none: nobody waits for it."
    )
    escalation: Name
    require: Requirements = Requirements.model_construct()
    sticky: YesNo = True

    @model_validator(mode="after")
    def _one_destination(self) -> Self:
        if bool(self.team) == bool(self.split):
            raise ValueError("give either a team or a split")
        if self.split and abs(sum(arm.share for arm in self.split) - 1) > 1e-9:  # noqa: PLR2004
            raise ValueError(f"the split's shares add up to {sum(arm.share for arm in self.split):.0%}, not to 100%")
        return self

    @cached_property
    def promises(self) -> tuple[Promise, ...]:
        """What is promised: by each arm of the split in order, or the only one."""
        arms = self.split or (Arm.model_construct(team=self.team or "", share=1.0),)
        return tuple(
            Promise(
                team=arm.team,
                respond_within=arm.respond_within or self.respond_within,
                contact_within=arm.contact_within or self.contact_within,
                decide_within=arm.decide_within or self.decide_within,
                escalation=arm.escalation or self.escalation,
                require=self.require,
                sticky=self.sticky,
            )
            for arm in arms
        )
