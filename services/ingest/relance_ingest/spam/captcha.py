"""Asks a captcha's provider whether the captcha was solved. All three take the same request (`siteverify`)."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from uuid import UUID

import aiohttp

from relance.logs import get_logger
from relance_ingest.domain.suspicion import Captcha
from relance_ingest.sources import Source, SourcesRefused
from relance_ingest.sources.spam import CaptchaCheck

log = get_logger(__name__)

_PROVIDERS = {
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    "hcaptcha": "https://api.hcaptcha.com/siteverify",
    "recaptcha": "https://www.google.com/recaptcha/api/siteverify",
}
_VISITORS_FAULTS = {
    "missing-input-response",
    "invalid-input-response",
    "expired-input-response",
    "already-seen-response",
    "invalid-or-already-seen-response",
    "timeout-or-duplicate",
}
"""What a provider holds against the visitor. Whatever else it says (a wrong secret, say) is our fault or its own."""
_LONGEST_ANSWER = 10_000
_MOST_REMEMBERED = 10_000


def captcha_secrets(sources: Iterable[Source], environment: Mapping[str, str]) -> dict[str, str]:
    """The secrets of all captchas, by the names of their environment variables.

    Raises:
        SourcesRefused: a variable is not set.
    """
    secrets: dict[str, str] = {}
    for source in sources:
        if source.spam.captcha:
            name = source.spam.captcha.secret_env
            if not environment.get(name):
                raise SourcesRefused(
                    f"Source {source.id!r} has a captcha whose secret is to be in the environment variable {name}, "
                    "which is not set: set it, or take `captcha` from the source."
                )
            secrets[name] = environment[name]
    return secrets


class CaptchaProviders:
    """Asks them."""

    def __init__(self, session: aiohttp.ClientSession, secrets: Mapping[str, str]) -> None:
        self._session = session
        self._secrets = secrets
        self._solved: dict[UUID, None] = {}

    async def verdict(self, check: CaptchaCheck, answer: str | None, key: tuple[str, str] | None) -> Captcha:
        """Whether the captcha was solved. No answer, or one too long to be one, is not worth asking about.

        An answer counts once. Whoever sends it again by the same source and idempotency key, after a 503 say, sends the
        same lead: theirs is known here, and to Turnstile on other replicas too.
        """
        if not answer or len(answer) > _LONGEST_ANSWER:
            return Captcha.FAILED
        again = _same(*key, answer) if key else None
        if again in self._solved:
            return Captcha.SOLVED
        try:
            said = await self._ask(check, answer, again)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.warning("captcha provider away", kind=check.kind, error=type(error).__name__)
            return Captcha.UNAVAILABLE
        if said.get("success") is True:
            if again:
                self._solved[again] = None
                if len(self._solved) > _MOST_REMEMBERED:
                    del self._solved[next(iter(self._solved))]
            return Captcha.SOLVED
        faults = [str(fault) for fault in said.get("error-codes") or ()]
        if faults and not _VISITORS_FAULTS.issuperset(faults):
            log.error("captcha provider refuses us", kind=check.kind, faults=faults)
            return Captcha.UNAVAILABLE
        return Captcha.FAILED

    async def _ask(self, check: CaptchaCheck, answer: str, again: UUID | None) -> dict[str, Any]:
        """Raises ValueError for an answer that is not the provider's."""
        url = str(check.verify_url or _PROVIDERS[check.kind])
        form = {"secret": self._secrets[check.secret_env], "response": answer}
        if again and check.kind == "turnstile":
            form["idempotency_key"] = str(again)
        timeout = aiohttp.ClientTimeout(total=check.timeout.total_seconds())
        async with self._session.post(url, data=form, timeout=timeout, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                raise ValueError(f"status {response.status}")
            said = await response.json(content_type=None)
        if not isinstance(said, dict) or "success" not in said:
            raise ValueError("no siteverify answer")
        return said


def _same(source: str, key: str, answer: str) -> UUID:
    said = "\0".join((source, key, answer)).encode(errors="surrogatepass")
    return UUID(bytes=sha256(said).digest()[:16], version=4)
