"""Where leads go, and how soon they are answered there."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, field_validator, model_validator

from relance_router.domain.configuration.field_types import Document, Name, Share, Window


class Requirements(Document):
    """What a rep must have to get the lead; who lacks it is passed over."""

    skills: tuple[Name, ...] = Field((), description="All of these.")
    language: str | None = Field(
        None, description="The lead's field that names a language (`fields.language`) which the rep must speak."
    )
    territory: bool = Field(False, description="The rep must sell where the lead is.")


class Promise(Document):
    """Where leads go, and how soon they are answered there."""

    team: Name
    respond_within: Window
    escalation: Name
    require: Requirements = Requirements.model_construct()
    sticky: bool = Field(True, description="Whether known owners come before anybody's turn.")


class Arm(Document):
    """One arm of a split: a share of the leads, and what is different for them."""

    team: Name
    share: Share
    respond_within: Window | None = None
    escalation: Name | None = None


class Rule(Document):
    """The first rule whose every condition holds decides."""

    id: Name
    when: Mapping[str, str | tuple[str, ...]] = Field(
        description="Field of the lead to the value, or the values of which one, it must have. Without regard to case."
    )
    team: Name | None = Field(None, description="Where its leads go; or give `split`.")
    split: tuple[Arm, ...] = Field((), description="Arms of a trial. The same person always falls into the same arm.")
    respond_within: Window
    escalation: Name
    require: Requirements = Requirements.model_construct()
    sticky: bool = True

    @field_validator("when")
    @classmethod
    def _known_fields(cls, when: Mapping[str, str | tuple[str, ...]]) -> Mapping[str, str | tuple[str, ...]]:
        for name in when:
            if name not in LEAD_FIELDS and not name.startswith("fields."):
                raise ValueError(f"{name!r} is no field of a lead: use {', '.join(LEAD_FIELDS)} or fields.<name>")
        return when

    @model_validator(mode="after")
    def _one_destination(self) -> Self:
        if bool(self.team) == bool(self.split):
            raise ValueError("give either a team or a split")
        if self.split and abs(sum(arm.share for arm in self.split) - 1) > 1e-9:  # noqa: PLR2004
            raise ValueError(f"the split's shares add up to {sum(arm.share for arm in self.split):.0%}, not to 100%")
        return self


LEAD_FIELDS = ("source", "channel", "campaign", "country", "company", "email_domain", "call_status", "called_number")
