"""Promises of the judgement on submissions: honest ones pass, and every reason is named."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance_ingest.domain.suspicion import WORDS, Captcha, Signals, Suspicion, Token, Tolerance, suspicions

SECOND = timedelta(seconds=1)
STRICT = Tolerance(
    token_required=True,
    shortest_fill=3 * SECOND,
    longest_fill=60 * SECOND,
    most_links=2,
    others_with_the_same_text=2,
)
HONEST = Signals(token=Token(10 * SECOND), captcha=Captcha.SOLVED, links=2, others_with_the_same_text=1)

SIGNALS = st.builds(
    Signals,
    honeypot_filled=st.booleans(),
    token=st.none()
    | st.builds(Token, age=st.none() | st.timedeltas(-SECOND, timedelta(days=3)), sent_by_others=st.booleans()),
    captcha=st.sampled_from(Captcha),
    disposable_email=st.booleans(),
    links=st.integers(0, 20),
    others_with_the_same_text=st.integers(0, 20),
)
TOLERANCES = st.builds(
    Tolerance,
    token_required=st.booleans(),
    most_links=st.none() | st.integers(0, 20),
    others_with_the_same_text=st.none() | st.integers(1, 20),
)


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        (HONEST, ()),
        (replace(HONEST, honeypot_filled=True), ("honeypot",)),
        (replace(HONEST, token=None), ("token_missing",)),
        (replace(HONEST, token=Token(None)), ("token_invalid",)),
        (replace(HONEST, token=Token(2.9 * SECOND)), ("filled_too_fast",)),
        (replace(HONEST, token=Token(3 * SECOND)), ()),
        (replace(HONEST, token=Token(0 * SECOND)), ("filled_too_fast",)),
        # Given by a replica whose clock is ahead of this one's: how long it took is not known.
        (replace(HONEST, token=Token(-0.1 * SECOND)), ()),
        (replace(HONEST, token=Token(60 * SECOND)), ()),
        (replace(HONEST, token=Token(60.1 * SECOND)), ("token_expired",)),
        (replace(HONEST, token=Token(10 * SECOND, sent_by_others=True)), ("token_replayed",)),
        (replace(HONEST, captcha=Captcha.FAILED), ("captcha_failed",)),
        (replace(HONEST, captcha=Captcha.UNAVAILABLE), ("captcha_unavailable",)),
        (replace(HONEST, disposable_email=True), ("disposable_email",)),
        (replace(HONEST, links=3), ("too_many_links",)),
        (replace(HONEST, others_with_the_same_text=2), ("repeated_content",)),
        (Signals(honeypot_filled=True, links=3), ("honeypot", "token_missing", "too_many_links")),
    ],
)
def test_each_signal_beyond_what_is_borne_is_a_reason(signals: Signals, expected: tuple[str, ...]) -> None:
    """And nothing that is within it."""
    assert suspicions(signals, STRICT) == expected


@given(SIGNALS, TOLERANCES, st.integers(0, 5), st.integers(0, 5))
def test_more_of_what_is_suspect_takes_no_reason_away(
    signals: Signals, tolerance: Tolerance, more_links: int, more_others: int
) -> None:
    """Nobody gets through by being worse, and each reason is named once."""
    worse = replace(
        signals,
        honeypot_filled=True,
        disposable_email=True,
        links=signals.links + more_links,
        others_with_the_same_text=signals.others_with_the_same_text + more_others,
    )
    found = suspicions(worse, tolerance)
    assert set(suspicions(signals, tolerance)) <= set(found)
    assert len(found) == len(set(found))


@given(SIGNALS)
def test_a_source_that_bears_everything_suspects_only_what_is_certain(signals: Signals) -> None:
    """Links and repetitions are borne, and no token is missed."""
    found = set(suspicions(signals, Tolerance()))
    assert not found & {Suspicion.TOO_MANY_LINKS, Suspicion.REPEATED_CONTENT, Suspicion.TOKEN_MISSING}
    assert (Suspicion.HONEYPOT in found) == signals.honeypot_filled


def test_a_person_can_read_every_reason() -> None:
    """Each has its sentence."""
    assert WORDS.keys() == set(Suspicion)
    assert all(words.endswith(".") for words in WORDS.values())
