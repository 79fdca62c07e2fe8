"""What the captcha check promises, against a real HTTP server that plays the provider."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.http_servers import answering

from relance_ingest.domain.suspicion import Captcha
from relance_ingest.sources.spam import CaptchaCheck
from relance_ingest.spam.captcha import CaptchaProviders
from relance_local.conditions import free_port


@dataclass
class Provider:
    """Says what it is told to say."""

    port: int = field(default_factory=free_port)
    says: object = None
    status: int = 200
    hangs: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(await request.post()))
        if self.hangs:
            await asyncio.Event().wait()
        text = self.says if isinstance(self.says, str) else json.dumps(self.says)
        return web.Response(text=text, status=self.status)

    def check(self, **how: Any) -> CaptchaCheck:
        url = f"http://127.0.0.1:{self.port}/siteverify"
        return CaptchaCheck.model_validate({"kind": "turnstile", "secret_env": "S", "verify_url": url, **how})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider that listens."""
    listening = Provider()
    async with answering(listening.port, web.post("/siteverify", listening.answer)):
        yield listening


@pytest.fixture
async def captchas() -> AsyncIterator[CaptchaProviders]:
    """The part under test."""
    async with aiohttp.ClientSession() as session:
        yield CaptchaProviders(session, {"S": "our secret"})


@pytest.mark.parametrize(
    ("says", "status", "verdict"),
    [
        ({"success": True}, 200, Captcha.SOLVED),
        ({"success": False}, 200, Captcha.FAILED),
        ({"success": False, "error-codes": ["timeout-or-duplicate"]}, 200, Captcha.FAILED),
        ({"success": False, "error-codes": ["invalid-input-response"]}, 200, Captcha.FAILED),
        ({"success": "true"}, 200, Captcha.FAILED),
        ({"success": False, "error-codes": ["invalid-input-secret"]}, 200, Captcha.UNAVAILABLE),
        ({"success": False, "error-codes": ["internal-error"]}, 200, Captcha.UNAVAILABLE),
        ("<html>maintenance</html>", 200, Captcha.UNAVAILABLE),
        ([], 200, Captcha.UNAVAILABLE),
        ({"success": True}, 500, Captcha.UNAVAILABLE),
        ({"success": True}, 302, Captcha.UNAVAILABLE),
    ],
)
async def test_only_a_clear_word_of_the_provider_counts(
    provider: Provider, captchas: CaptchaProviders, says: object, status: int, verdict: Captcha
) -> None:
    """What is our fault, or the provider's own, is not held against the visitor, nor does it let anybody through."""
    provider.says, provider.status = says, status
    assert await captchas.verdict(provider.check(), "an answer", None) is verdict
    assert provider.asked == [{"secret": "our secret", "response": "an answer"}]


async def test_an_answer_that_is_no_text_is_quarantined_with_its_lead(
    provider: Provider, captchas: CaptchaProviders
) -> None:
    """JSON can say a lone surrogate, which no provider can be asked about."""
    provider.says = {"success": True}
    for key in (("website", "k1"), None):
        assert await captchas.verdict(provider.check(), "\ud800", key) is Captcha.UNAVAILABLE
    assert provider.asked == []


async def test_a_provider_that_is_silent_or_away_holds_nobody_up(
    provider: Provider, captchas: CaptchaProviders
) -> None:
    """The lead is quarantined, and somebody decides."""
    provider.hangs = True
    assert await captchas.verdict(provider.check(timeout=0.2), "an answer", None) is Captcha.UNAVAILABLE
    nowhere = provider.check(verify_url=f"http://127.0.0.1:{free_port()}/siteverify")
    assert await captchas.verdict(nowhere, "an answer", None) is Captcha.UNAVAILABLE


async def test_an_answer_that_was_solved_is_the_same_submissions_alone(
    provider: Provider, captchas: CaptchaProviders
) -> None:
    """A provider takes an answer once. Turnstile is told what is the same, for other replicas."""
    provider.says = {"success": True}
    for _ in range(2):
        assert await captchas.verdict(provider.check(), "an answer", ("website", "k1")) is Captcha.SOLVED
    assert len(provider.asked) == 1
    provider.says = {"success": False, "error-codes": ["timeout-or-duplicate"]}
    assert await captchas.verdict(provider.check(), "an answer", ("website", "k1")) is Captcha.SOLVED
    for key, answer in (("k2", "an answer"), ("k1", "another"), (None, "an answer")):
        asked = ("website", key) if key else None
        assert await captchas.verdict(provider.check(), answer, asked) is Captcha.FAILED
    assert len({each.get("idempotency_key") for each in provider.asked}) == len(provider.asked) == 4
    await captchas.verdict(provider.check(kind="hcaptcha"), "an answer", ("website", "k2"))
    assert "idempotency_key" not in provider.asked[-1]


@pytest.mark.parametrize("answer", [None, "", "x" * 20_000])
async def test_no_answer_is_not_worth_asking_about(
    provider: Provider, captchas: CaptchaProviders, answer: str | None
) -> None:
    """A bot costs the provider nothing."""
    assert await captchas.verdict(provider.check(), answer, None) is Captcha.FAILED
    assert provider.asked == []
