"""Looks at a submission before it is stored, as far as its source wants that, and says why to suspect it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from disposable_email_domains import blocklist

from relance.clock import Clock
from relance_ingest.acceptance import NewLead
from relance_ingest.domain.contact_details import identity_key
from relance_ingest.domain.suspicion import Captcha, Signals, Suspicion, Token, Tolerance, suspicions
from relance_ingest.domain.texts import is_disposable, links_in, text_hash
from relance_ingest.spam.captcha import CaptchaProviders
from relance_ingest.spam.evidence import Evidence
from relance_ingest.spam.form_tokens import FormTokens
from relance_ingest.spam.repetitions import Repetitions
from relance_ingest.sources.spam import NOT_LOOKED_AT, Spam


@dataclass(frozen=True)
class Screening:
    """Gathers the signals. What is switched off costs nothing: no query, no request."""

    tokens: FormTokens | None
    captchas: CaptchaProviders
    repetitions: Repetitions
    clock: Clock

    async def suspicions(self, spam: Spam, lead: NewLead, evidence: Evidence) -> tuple[Suspicion, ...]:
        """Every reason; none for an honest submission."""
        if spam == NOT_LOOKED_AT:
            return ()
        now = self.clock()
        things = self._things(spam, lead, evidence, now)
        seen = await self.repetitions.others(things.within, identity_key(lead.contact.email, lead.contact.phone))
        signals = Signals(
            honeypot_filled=evidence.honeypot_filled,
            token=Token(things.token_age, bool(seen.get(things.token, 0))) if evidence.token else None,
            captcha=await self.captchas.verdict(spam.captcha, evidence.captcha) if spam.captcha else Captcha.NOT_ASKED,
            disposable_email=_disposable(spam, lead.contact.email),
            links=links_in([*lead.fields.values(), lead.contact.name or "", lead.contact.company or ""]),
            others_with_the_same_text=seen.get(things.text, 0),
        )
        return suspicions(signals, _tolerance(spam))
