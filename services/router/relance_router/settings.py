"""The router's settings."""

from datetime import timedelta
from pathlib import Path

from pydantic import AnyHttpUrl, Field, PositiveInt, SecretStr

from relance.settings import ServiceSettings


class RouterSettings(ServiceSettings):
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
    operator_token: SecretStr = Field(
        min_length=32, description="Bearer token of operators, for the configuration API and `relance`."
    )
    webhook_allowed_hosts: frozenset[str] = Field(
        frozenset(),
        description='Hosts to which webhooks may go although their addresses are internal, as a JSON list: `["chat"]`.',
    )
    webhook_timeout: timedelta = Field(timedelta(seconds=10), description="How long one attempt may take.")
    webhook_concurrency: int = Field(100, ge=1, description="Attempts under way at once.")
    webhook_concurrency_per_endpoint: int = Field(
        8, ge=1, description="Attempts under way at one endpoint, so that a slow one leaves room for the others."
    )
    answer_link_lifetime: timedelta = Field(timedelta(days=30), description="How long an answer link works.")
