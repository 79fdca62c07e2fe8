"""Where somebody is told: their chat tool or CRM, with e-mail as the way that is left when that fails."""

from typing import Annotated, Literal, Self

from pydantic import AnyHttpUrl, BeforeValidator, EmailStr, Field, model_validator

from relance_router.domain.configuration.field_types import Document

Format = Literal["webhook", "slack", "teams"]


class Reachable(Document):
    """At most one of webhook, slack and teams; e-mail beside it or instead."""

    webhook: AnyHttpUrl | None = Field(None, description="Gets signed Standard Webhooks.")
    slack: AnyHttpUrl | None = Field(None, description="A Slack incoming webhook.")
    teams: AnyHttpUrl | None = Field(None, description="A Microsoft Teams workflow webhook.")
    email: EmailStr | None = Field(None, description="Told by e-mail when the above fails, or when there is none.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [way for way in ("webhook", "slack", "teams") if getattr(self, way)]
        if len(given) > 1:
            raise ValueError(f"give one of {', '.join(given)}, not several")
        if not given and not self.email:
            raise ValueError("give a way to tell them: webhook, slack, teams or email")
        return self

    @property
    def address(self) -> tuple[Format, str] | None:
        """The format that their tool takes, and its URL; None for who is told by e-mail only."""
        if self.webhook:
            return "webhook", str(self.webhook)
        if self.slack:
            return "slack", str(self.slack)
        return ("teams", str(self.teams)) if self.teams else None


def _as_webhook(value: object) -> object:
    return {"webhook": value} if isinstance(value, str) else value


Contact = Annotated[Reachable, BeforeValidator(_as_webhook, json_schema_input_type=AnyHttpUrl | Reachable)]
"""A plain URL is a webhook."""
