"""Ingest's settings."""

from pathlib import Path

from pydantic import Field

from relance.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """What ingest needs beyond what every service needs."""

    sources_file: Path = Field(description="sources.yaml: who may send leads, with the hashes of their keys.")
    demo_page: bool = Field(
        False, description="Serve `/demo`, a form to try, of the first source that lists `forms.origins`."
    )
