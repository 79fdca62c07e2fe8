"""Who may send leads: sources.yaml, read once at start."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator


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
    thanks_url: AnyHttpUrl | None = Field(None, description="Where a browser goes after its form was accepted.")


class _SourcesFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sources: tuple[Source, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what, values in (
            ("source id", [source.id for source in self.sources]),
            ("key_sha256", [source.key_sha256 for source in self.sources]),
        ):
            doubled = [value for value, count in Counter(values).items() if count > 1]
            if doubled:
                raise ValueError(f"{what} stands twice: {', '.join(doubled)}")
        return self


class SourcesRefused(ValueError):
    """sources.yaml cannot be used; says why."""


class Sources:
    """Sources by name and by key."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self._by_id = {source.id: source for source in sources}
        # Looked up by the key's hash, so that the time it takes tells nothing of a key.
        self._by_key = {source.key_sha256: source for source in sources}

    @classmethod
    def read(cls, file: Path) -> "Sources":
        """Read sources.yaml.

        Raises:
            SourcesRefused: it is missing, no YAML, or wrong.
        """
        try:
            return cls(_SourcesFile.model_validate(yaml.safe_load(file.read_text())).sources)
        except OSError as error:
            raise SourcesRefused(f"{file} cannot be read: {error.strerror}.") from error
        except (yaml.YAMLError, ValidationError) as error:
            raise SourcesRefused(f"{file}: {error}") from error

    def of_key(self, key: str) -> Source | None:
        """The source that has this key."""
        return self._by_key.get(hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest())

    def named(self, source: str) -> Source | None:
        """The source of that name."""
        return self._by_id.get(source)
