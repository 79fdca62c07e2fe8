"""A source that is a partner's: which adapter reads it, and which environment variables hold its secrets."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Variables = Annotated[tuple[_Variable, ...], BeforeValidator(_several), Field(min_length=1)]
"""One name of an environment variable, or several while a secret is changed: each of them counts."""


class _Partner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_from: Variables = Field(description="Environment variables that hold what the partner signs with.")


class SignedPartner(_Partner):
    """A partner whose webhook tells all."""

    kind: Literal["calendly", "callrail", "google_ads", "hubspot", "standard_webhooks", "twilio", "typeform"]


class MetaPartner(_Partner):
    """Meta: its webhook tells ids, and the Graph API whose they are."""

    kind: Literal["meta"]
    verify_token_from: Variables = Field(description="What the app's dashboard was given as verify token.")
    access_token_from: Variables = Field(description="Access tokens of the page, with `leads_retrieval`.")


PartnerSource = Annotated[SignedPartner | MetaPartner, Field(discriminator="kind")]
