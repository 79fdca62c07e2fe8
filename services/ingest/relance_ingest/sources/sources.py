"""Who may send leads: sources.yaml, read once at start."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import override
from yaml.composer import ComposerError

from relance_ingest.sources.source import Source


class _Loader(yaml.SafeLoader):
    """Refuses what stands twice: the last would count, and the first, such as a honeypot, would be off."""

    @override
    def compose_mapping_node(self, anchor: dict[str, yaml.Node]) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ComposerError(None, None, f"{key.value!r} stands twice here", key.start_mark)
                seen.add(key.value)
        return node


class _SourcesFile(BaseModel):
    # Somebody may have written a key itself into it, and errors are kept with logs.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    sources: tuple[Source, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what, values in (
            ("source id", [source.id for source in self.sources]),
            ("key_sha256", [source.key_sha256 for source in self.sources if source.key_sha256]),
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
        self._by_key = {source.key_sha256: source for source in sources if source.key_sha256}

    @classmethod
    def read(cls, file: Path) -> "Sources":
        """Read sources.yaml.

        Raises:
            SourcesRefused: it is missing, no YAML, or wrong.
        """
        try:
            # Of a stream and not of a text, whose lines, and what is secret in them, the reader's errors would show.
            with file.open(encoding="utf-8") as content:
                read = yaml.load(content, _Loader)  # noqa: S506  # which is a safe one
            return cls(_SourcesFile.model_validate(read).sources)
        except OSError as error:
            raise SourcesRefused(f"{file} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise SourcesRefused(
                f"{file} is not UTF-8: byte {error.start} is no part of it. Save it as that."
            ) from error
        except (yaml.YAMLError, ValidationError) as error:
            raise SourcesRefused(f"{file}: {error}") from error

    def __getitem__(self, source: str) -> Source:
        return self._by_id[source]

    def __iter__(self) -> Iterator[Source]:
        """All, in the file's order."""
        return iter(self._by_id.values())

    def of_key(self, key: str) -> Source | None:
        """The source that has this key."""
        return self._by_key.get(hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest())

    def named(self, source: str) -> Source | None:
        """The source of that name."""
        return self._by_id.get(source)
