"""Ingest's settings."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AnyHttpUrl, Field, PositiveInt, SecretStr

from relance.personal_data import PersonalDataSettings


class IngestSettings(PersonalDataSettings):
    """What ingest needs beyond what every service needs."""

    sources_file: Path = Field(description="sources.yaml: who may send leads, with the hashes of their keys.")
    operator_token: SecretStr = Field(
        min_length=32, description="Bearer token of operators, for the quarantine, privacy and `relance-ingest`."
    )
    form_token_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Key that signs the tokens that forms fetch when they are loaded, the same for every replica; "
        "none: forms get no token.",
    )
    identity_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Key of the pseudonyms by which one person's leads find each other, the same for every replica; "
        "none: plain hashes, which can be guessed. docs/privacy.md says how to change it.",
    )
    identity_secrets_previous: tuple[Annotated[SecretStr, Field(min_length=32)], ...] = Field(
        (),
        description="Identity secrets from before, as a JSON list: whom they named is found too, to be erased or "
        "exported. Ingest does not start without one that people in its database were named with.",
    )
    figures_every: timedelta = Field(
        timedelta(seconds=15), gt=timedelta(), description="How often to count what metrics report."
    )
    accept_waiting: PositiveInt = Field(
        1000,
        description="Submissions that may wait for a transaction; above it the answer is 503 with Retry-After. A "
        "request has one, a partner's as many as it has leads: above RELANCE_HTTP_CONCURRENCY only those reach it.",
    )
    accept_patience: timedelta = Field(
        timedelta(seconds=5),
        gt=timedelta(),
        description="How long a submission may wait for its transaction before the answer is 503.",
    )
    demo_page: bool = Field(
        False, description="Serve `/demo`, a form to try, of the first source that lists `forms.origins`."
    )
    public_url: AnyHttpUrl | None = Field(
        None,
        description="Where partners reach this service, when a proxy stands before it: Twilio and HubSpot sign it.",
    )
    meta_graph_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://graph.facebook.com/v25.0"),
        description="Meta's Graph API with its version, from which leads are fetched.",
    )
