"""Promises of the language in which a visitor is spoken to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance_ingest.domain.languages import language_of


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr;q=1, en;q=0.3, de;q=0.7", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr-FR", "en"),
        ("de;q=0", "en"),
        ("DE", "de"),
        ("", "en"),
        ("*", "en"),
    ],
)
def test_a_visitor_reads_the_language_they_like_best_of_ours(accepted: str, language: str) -> None:
    """English when they like none of ours."""
    assert language_of(accepted) == language


@given(st.text())
def test_any_header_gives_a_language(accepted: str) -> None:
    """Also nonsense."""
    assert language_of(accepted) in {"en", "de"}
