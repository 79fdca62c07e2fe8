"""One source, as sources.yaml says it."""

from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, StringConstraints

from relance_ingest.sources.forms import Forms
from relance_ingest.sources.spam import NOT_LOOKED_AT, Spam


class Source(BaseModel):
    """One place that leads come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    key_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the source's API key, in hex: the key itself is in no file of ours."
    )
    default_country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = Field(
        None, description="Where phone numbers without a country code are dialled."
    )
    campaign: str | None = Field(None, description="The campaign of leads that name none.")
    spam: Spam = NOT_LOOKED_AT
    thanks_url: AnyHttpUrl | None = Field(None, description="Where a browser goes after its form was accepted.")
    forms: Forms = Forms()
