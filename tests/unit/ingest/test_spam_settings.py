"""Promises of `spam` in sources.yaml, of form tokens, and of what a form sends for us."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from relance_ingest.sources import Sources, SourcesRefused
from relance_ingest.sources.spam import NOT_LOOKED_AT, Spam
from relance_ingest.spam.captcha import captcha_secrets
from relance_ingest.spam.evidence import Evidence, taken_from
from relance_ingest.spam.form_tokens import FormTokens, form_tokens_of

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
TOKENS = FormTokens("a secret of tests")


def sources(tmp_path: Path, **spam: object) -> Sources:
    file = tmp_path / "sources.yaml"
    source = {"id": "website", "key_sha256": "0" * 64} | ({"spam": spam} if spam else {})
    file.write_text(yaml.safe_dump({"sources": [source]}))
    return Sources.read(file)


def test_a_source_that_says_nothing_of_spam_is_not_looked_at(tmp_path: Path) -> None:
    """Files of today mean what they meant."""
    assert sources(tmp_path)["website"].spam == NOT_LOOKED_AT


def test_what_cannot_work_is_refused_at_start_with_what_to_do(tmp_path: Path) -> None:
    """Secrets that are not there, and settings that are none."""
    with pytest.raises(SourcesRefused, match="RELANCE_FORM_TOKEN_SECRET"):
        form_tokens_of(sources(tmp_path, form_token={"required": True}), None)
    assert form_tokens_of(sources(tmp_path, form_token={"required": True}), SecretStr("s" * 32))
    captcha = {"captcha": {"kind": "turnstile", "secret_env": "TURNSTILE_SECRET"}}
    with pytest.raises(SourcesRefused, match="TURNSTILE_SECRET"):
        captcha_secrets(sources(tmp_path, **captcha), {})
    assert captcha_secrets(sources(tmp_path, **captcha), {"TURNSTILE_SECRET": "s"}) == {"TURNSTILE_SECRET": "s"}
    for wrong in ({"honeypots": "x"}, {"limits": {"per_address": "many"}}, {"captcha": {"kind": "riddle"}}):
        with pytest.raises(SourcesRefused, match="spam"):
            sources(tmp_path, **wrong)


@given(st.integers(0, 10**10), st.text(max_size=20))
def test_a_token_says_when_it_was_given_to_its_own_source_only(milliseconds: int, nonce: str) -> None:
    """To the millisecond."""
    moment = NOW + timedelta(milliseconds=milliseconds)
    token = TOKENS.issue("website", moment, nonce)
    issued_at = TOKENS.issued_at("website", token)
    assert issued_at is not None
    assert abs(issued_at - moment) <= timedelta(milliseconds=1)
    assert TOKENS.issued_at("ads", token) is None
    assert FormTokens("another secret").issued_at("website", token) is None


@given(st.text(max_size=100))
def test_whatever_is_no_token_is_none(text: str) -> None:
    """And nothing else happens."""
    assert TOKENS.issued_at("website", text) is None


def test_two_tokens_of_one_moment_differ() -> None:
    """By which one is known again."""
    assert TOKENS.issue("website", NOW, "a") != TOKENS.issue("website", NOW, "b")


def test_what_a_form_sends_for_us_does_not_become_the_lead_s() -> None:
    """Bait, token and the captcha's answer are taken out; the rest stays."""
    spam = Spam.model_validate({"honeypot": "website_url", "captcha": {"kind": "hcaptcha", "secret_env": "H"}})
    form = {"name": "Maria", "website_url": "x", "_token": "t", "h-captcha-response": "h", "g-recaptcha-response": "g"}
    assert taken_from(form, spam) == Evidence(honeypot_filled=True, token="t", captcha="h")
    assert form == {"name": "Maria"}
    assert taken_from({"website_url": " ", "_token": "", "h-captcha-response": ""}, spam) == Evidence()
    other = {"website_url": "https://example.com"}
    assert taken_from(other, NOT_LOOKED_AT) == Evidence()
    assert other == {"website_url": "https://example.com"}
