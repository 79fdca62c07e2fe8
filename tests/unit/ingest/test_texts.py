"""Promises of what a submission's text shows."""

import unicodedata

import pytest
from disposable_email_domains import blocklist
from hypothesis import assume, given
from hypothesis import strategies as st

from relance_ingest.domain.texts import SHORTEST_TEXT, is_disposable, links_in, text_hash

WORDS = st.lists(st.text(st.characters(categories=("Ll", "Nd"), max_codepoint=0x24F), min_size=4), min_size=6)


@given(WORDS, st.sampled_from([" ", "  ", "\n", ", ", " — ", "!\t"]))
def test_a_text_is_the_same_however_it_is_spaced_punctuated_or_capitalised(words: list[str], between: str) -> None:
    """And another for another source."""
    said = " ".join(words)
    assume(len(said.replace(" ", "")) >= SHORTEST_TEXT)
    digest = text_hash("website", [said])
    assert digest is not None
    assert text_hash("website", [between.join(words).upper().lower()]) == text_hash("website", [said.upper().lower()])
    assert text_hash("website", [unicodedata.normalize("NFKD", said)]) == text_hash(
        "website", [unicodedata.normalize("NFKC", said)]
    )
    assert text_hash("ads", [said]) != digest


@pytest.mark.parametrize("text", ["", "Please call me.", "!!! ... ??? --- !!! ... ??? ---"])
def test_a_text_too_short_to_be_somebody_s_own_is_not_compared(text: str) -> None:
    """Many people write it."""
    assert text_hash("website", [text]) is None


def test_links_are_counted_in_running_text_only() -> None:
    """A website or a landing page in a field of its own is what the form asked for."""
    assert links_in(["https://www.example.com/landing?utm_source=x", " http://example.com "]) == 0
    assert links_in(["buy http://a.example HTTPS://b.example and www.c.example", "hello"]) == 3


def test_the_most_exact_domain_decides_whether_an_address_is_disposable() -> None:
    """A part may be excepted of what is blocked, and the other way round."""

    def judged(email: str, blocked: set[str], allowed: set[str]) -> bool:
        return is_disposable(email, blocklist, blocked=blocked, allowed=allowed)

    assert judged("a@mailinator.com", set(), set())
    assert judged("a@MX.Mailinator.com", set(), set())
    assert not judged("a@mailinator.com", set(), {"mailinator.com"})
    assert not judged("a@example.com", set(), set())
    assert judged("a@sub.example.com", {"example.com"}, set())
    assert not judged("a@good.example.com", {"example.com"}, {"good.example.com"})
    assert judged("a@bad.example.com", {"bad.example.com"}, {"example.com"})
