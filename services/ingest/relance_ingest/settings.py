"""Ingest's settings."""

from datetime import timedelta
from pathlib import Path

from pydantic import AnyHttpUrl, Field, PositiveInt

from relance.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """What ingest needs beyond what every service needs."""

    sources_file: Path = Field(description="sources.yaml: who may send leads, with the hashes of their keys.")
    accept_waiting: PositiveInt = Field(
        1000, description="Submissions that may wait for a transaction; above it the answer is 503 with Retry-After."
    )
    accept_patience: timedelta = Field(
        timedelta(seconds=5), description="How long a submission may wait for its transaction before the answer is 503."
    )
    public_url: AnyHttpUrl | None = Field(
        None,
        description="Where partners reach this service, when a proxy stands before it: Twilio and HubSpot sign it.",
    )
    meta_graph_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://graph.facebook.com/v25.0"),
        description="Meta's Graph API with its version, from which leads are fetched.",
    )
