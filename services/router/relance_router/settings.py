"""The router's settings."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import AnyHttpUrl, EmailStr, Field, PositiveInt, SecretStr, ValidationInfo, field_validator

from relance.personal_data import PersonalDataSettings


class RouterSettings(PersonalDataSettings):
    """What the router needs beyond what every service needs."""

    routing_file: Path | None = Field(
        None,
        description="routing.yaml with which to begin: read while no configuration was ever applied, and not after. "
        "Changes come by `relance apply`.",
    )
    configuration_limit: PositiveInt = Field(1024 * 1024, description="Bytes of a configuration sent, at most.")
    public_url: AnyHttpUrl = Field(description="Where reps' browsers reach this service, for answer links.")
    link_secret: SecretStr = Field(
        min_length=32, description="Key that signs answer links. Changing it makes every link sent so far worthless."
    )
    webhook_secret: SecretStr = Field(
        min_length=32,
        description="Master key from which each endpoint's signing secret is derived; see `relance-router secret`.",
    )
    webhook_secret_previous: SecretStr | None = Field(
        None,
        min_length=32,
        description="The master key before the present one: while it is set, requests carry both keys' signatures.",
    )
    operator_token: SecretStr = Field(
        min_length=32, description="Bearer token of operators, for the configuration API and `relance`."
    )
    webhook_allowed_hosts: frozenset[str] = Field(
        frozenset(),
        description='Hosts to which webhooks may go although their addresses are internal, as a JSON list: `["chat"]`.',
    )
    webhook_timeout: timedelta = Field(
        timedelta(seconds=10), gt=timedelta(), description="How long one attempt may take."
    )
    webhook_concurrency: int = Field(100, ge=1, description="Attempts under way at once.")
    webhook_concurrency_per_endpoint: int = Field(
        8, ge=1, description="Attempts under way at one endpoint, so that a slow one leaves room for the others."
    )
    answer_link_lifetime: timedelta = Field(
        timedelta(days=30), gt=timedelta(), description="How long an answer link works."
    )
    email_fallback_after: timedelta = Field(
        timedelta(minutes=2),
        description="Whoever has an e-mail address is told by it too once a notification is so old and not delivered.",
    )
    smtp_host: str | None = Field(None, description="The mail server that takes e-mail; none: nobody gets e-mail.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="`starttls`, `tls` from the first byte (port 465), or `none`."
    )
    smtp_username: str | None = Field(None, description="Who logs in there; none: nobody does.")
    smtp_password: SecretStr | None = Field(None, description="With this password.")
    smtp_from: EmailStr | None = Field(
        None, validate_default=True, description="The address that e-mail comes from; needed with a host."
    )
    smtp_concurrency: int = Field(4, ge=1, description="E-mails under way at once.")

    @field_validator("smtp_from")
    @classmethod
    def _mail_has_a_sender(cls, sender: str | None, given: ValidationInfo) -> str | None:
        if given.data.get("smtp_host") and not sender:
            raise ValueError("with RELANCE_SMTP_HOST, say which address e-mail comes from")
        return sender
