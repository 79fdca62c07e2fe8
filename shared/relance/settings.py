"""Settings that every service shares, read from environment variables that start with `RELANCE_`.

A service adds its own by inheriting from `ServiceSettings`; docs/settings.md lists them all and a test keeps it true.
Durations are ISO 8601 (`PT20S`) or a number of seconds.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, IPvAnyNetwork, PositiveInt, UrlConstraints
from pydantic_core import MultiHostUrl
from pydantic_settings import BaseSettings, SettingsConfigDict

AsyncpgUrl = Annotated[MultiHostUrl, UrlConstraints(allowed_schemes=["postgresql+asyncpg"])]


class ServiceSettings(BaseSettings):
    """What each service needs to reach its database, the broker and its operators."""

    model_config = SettingsConfigDict(env_prefix="RELANCE_", frozen=True, extra="ignore")

    database_url: AsyncpgUrl = Field(
        description="The service's own role and database: `postgresql+asyncpg://role:password@host/database`."
    )
    database_pool_size: PositiveInt = Field(10, description="Connections this process keeps open at most.")
    database_timeout: timedelta = Field(
        timedelta(seconds=5),
        description="How long to wait for a connection, and for one statement, before calling PostgreSQL away.",
    )
    kafka_bootstrap_servers: str = Field(description="Kafka brokers, `host:port`, separated by commas.")
    topic_prefix: str = Field(
        "", description="Put before every topic and consumer group, to share one Kafka between systems."
    )
    topic_partitions: PositiveInt = Field(
        12,
        description="Partitions per topic when it is created. Choose once: adding partitions later moves keys.",
    )
    topic_replication: PositiveInt = Field(1, description="Copies of each partition; 3 on a real cluster.")
    topic_retention: timedelta | None = Field(
        None,
        gt=timedelta(),
        description="How long Kafka keeps what happened with leads, without contact data; none: for ever, which "
        "`relance-sla-monitor rebuild` needs. `migrate` sets it, also on topics that are there.",
    )
    topic_retention_received: timedelta = Field(
        timedelta(days=7),
        gt=timedelta(),
        description="How long Kafka keeps received leads, which hold contact data; `migrate` sets it.",
    )
    topic_retention_dead_letters: timedelta = Field(
        timedelta(days=30),
        gt=timedelta(),
        description="How long Kafka keeps messages that could not be handled, which may hold contact data; `migrate` "
        "sets it, also on topics that are there.",
    )
    consumer_batch: PositiveInt = Field(500, description="Messages handled in one transaction at most.")
    dead_letter_limit: PositiveInt = Field(
        100, description="Dead letters within one hour after which a consumer stops and alarms."
    )
    http_host: str = Field("127.0.0.1", description="Address to listen on; `0.0.0.0` in a container.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port to listen on.")
    http_body_limit: PositiveInt = Field(64 * 1024, description="Bytes of one request body at most.")
    http_headers_limit: PositiveInt = Field(
        32 * 1024, description="Bytes of one request's headers at most; above it the answer is 431."
    )
    http_receive_timeout: timedelta = Field(
        timedelta(seconds=20),
        description="How long a request may take to arrive, its body included, before the connection is closed.",
    )
    trusted_proxies: frozenset[IPvAnyNetwork] = Field(
        frozenset(),
        description="Proxies in front of this service, whose X-Forwarded-For and X-Forwarded-Proto are believed, as a "
        'JSON list of addresses or networks: `["10.0.0.0/8"]`. Nobody else\'s are.',
    )
    http_concurrency: PositiveInt = Field(
        256,
        description="Requests worked on at once, and as many besides whose bodies are awaited; above it the answer is "
        "503 with Retry-After.",
    )
    shutdown_deadline: timedelta = Field(
        timedelta(seconds=20), description="How long work in hand may take to finish after SIGTERM."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
