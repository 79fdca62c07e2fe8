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


def test_a_setting_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """The last one would count: here the honeypot and the token that is required would be switched off."""
    twice = "    spam: {honeypot: website, form_token: {required: true}}\n    spam: {most_links: 3}\n"
    said = refused(tmp_path, SOURCE + twice)
    assert "'spam' stands twice" in said
    assert "line 5" in said


def test_what_several_sources_share_may_be_merged_and_differ(tmp_path: Path) -> None:
    """That is no setting that stands twice."""
    file = tmp_path / "sources.yaml"
    shared = f"sources:\n  - &base {{id: a, key_sha256: '{'0' * 64}', campaign: spring}}\n"
    file.write_text(shared + f"  - {{<<: *base, id: b, key_sha256: '{'1' * 64}'}}\n")
    assert [(each.id, each.campaign) for each in Sources.read(file)] == [("a", "spring"), ("b", "spring")]


def test_a_file_that_is_not_utf_8_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """An umlaut in a comment, saved by an old editor."""
    said = refused(tmp_path, f"# für die Website\n{SOURCE}".encode("latin-1"))
    assert "sources.yaml" in said
    assert "is not UTF-8" in said


@pytest.mark.parametrize(
    "line",
    [
        "key: my-secret-key",
        "key_sha256: my-secret-key",
        "my-secret-key",
        "key: 'my-secret-key",
        "partner: {kind: typeform, secret_from: my-secret-key}",
        "spam: {captcha: {kind: turnstile, secret_env: my-secret-key}}",
    ],
)
def test_a_secret_that_was_written_into_the_file_by_mistake_is_not_repeated(tmp_path: Path, line: str) -> None:
    """What is said is printed, and kept with the container's logs. Where it stands is said."""
    said = refused(tmp_path, f"sources:\n  - id: a\n    {line}\n")
    assert "my-secret-key" not in said
    assert "sources.0" in said or "line 3" in said or "line 4" in said
