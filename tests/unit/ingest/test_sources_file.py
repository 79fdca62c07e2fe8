"""Mistakes that people make in sources.yaml, and what they are told."""

from pathlib import Path

import pytest

from relance_ingest.sources import Sources, SourcesRefused

SOURCE = f"sources:\n  - id: a\n    key_sha256: '{'0' * 64}'\n"


def refused(folder: Path, content: str | bytes) -> str:
    """What is said of this file."""
    file = folder / "sources.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SourcesRefused) as refusal:
        Sources.read(file)
    return str(refusal.value)


def test_a_default_country_that_is_none_is_refused(tmp_path: Path) -> None:
    """Every number without a country code would be refused, and its lead lost. `UK` is GB."""
    said = refused(tmp_path, SOURCE + "    default_country: UK\n")
    assert "'UK' is no country" in said
