"""Where somebody is told: their chat tools or CRM, with e-mail as the way that is left when that fails."""

from typing import Annotated, Literal, Self

from pydantic import AnyHttpUrl, BeforeValidator, EmailStr, Field, model_validator

from relance.events.assignment import Way
from relance_router.domain.configuration.field_types import Document, Name

Format = Literal["webhook", "slack", "teams"]
FORMATS: tuple[Format, ...] = ("webhook", "slack", "teams")
"""In the order in which one is chosen where nobody says which."""


class Reachable(Document):
    """Any of webhook, slack and teams, of which the first is their usual one; e-mail beside them or instead."""

    webhook: AnyHttpUrl | None = Field(None, description="Gets signed Standard Webhooks.")
    slack: AnyHttpUrl | None = Field(None, description="A Slack incoming webhook.")
    teams: AnyHttpUrl | None = Field(None, description="A Microsoft Teams workflow webhook.")
    email: EmailStr | None = Field(None, description="Told by e-mail when the above fails, or when there is none.")

    @model_validator(mode="after")
    def _some_way(self) -> Self:
        if not self.address and not self.email:
            raise ValueError("give a way to tell them: webhook, slack, teams or email")
        return self

    @property
    def address(self) -> tuple[Format, str] | None:
        """The format that their usual tool takes, and its URL; None for who is told by e-mail only."""
        return next(((format_, str(url)) for format_ in FORMATS if (url := getattr(self, format_))), None)

    def has(self, way: Way) -> bool:
        """Whether they can be told in this way."""
        return getattr(self, way) is not None

    def only(self, way: Way) -> "Reachable":
        """The same person, told in this way alone, which they have."""
        return Reachable.model_construct(**{way: getattr(self, way)})


class Contact(Reachable):
    """Somebody who is told of escalations and answers no leads: a director, a channel of those on call."""

    id: Name
    name: str | None = Field(None, max_length=100, description="What people call them; the id, when not given.")


def _as_webhook(value: object) -> object:
    return {"webhook": value} if isinstance(value, str) else value


Address = Annotated[Reachable, BeforeValidator(_as_webhook, json_schema_input_type=AnyHttpUrl | Reachable)]
"""A plain URL is a webhook."""
