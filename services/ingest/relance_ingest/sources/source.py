"""One source, as sources.yaml says it."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from relance_ingest.domain.contact_details import known_country
from relance_ingest.sources.forms import Forms
from relance_ingest.sources.partners import PartnerSource
from relance_ingest.sources.spam import NOT_LOOKED_AT, Spam


def _country(code: str) -> str:
    if known_country(code) != code:
        raise ValueError(f"{code!r} is no country: give its code of ISO 3166-1, such as DE or GB")
    return code


class Source(BaseModel):
    """One place that leads come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    key_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None,
        description="SHA-256 of the source's API key, in hex: the key itself is in no file of ours. "
        "A partner's source needs none.",
    )
    default_country: Annotated[str, AfterValidator(_country)] | None = Field(
        None, description="Where phone numbers without a country code are dialled."
    )
    campaign: str | None = Field(None, description="The campaign of leads that name none.")
    spam: Spam = NOT_LOOKED_AT
    thanks_url: AnyHttpUrl | None = Field(None, description="Where a browser goes after its form was accepted.")
    forms: Forms = Forms()
    retention: Annotated[timedelta, Field(ge=timedelta(days=1), le=timedelta(days=36_500))] | None = Field(
        None,
        description="How long its leads are kept before they are erased everywhere, such as `P365D`; none: for ever.",
    )
    partner: PartnerSource | None = Field(None, description="Whose payloads and signatures it comes with.")

    @model_validator(mode="after")
    def _known_by_something(self) -> Self:
        if self.key_sha256 is None and self.partner is None:
            raise ValueError("give key_sha256, or partner: nobody could send to it otherwise")
        return self
