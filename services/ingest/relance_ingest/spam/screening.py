"""Looks at a submission before it is stored, as far as its source wants that, and says why to suspect it."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from disposable_email_domains import blocklist

from relance.clock import Clock
from relance_ingest.acceptance import NewLead
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.domain.suspicion import Captcha, Signals, Suspicion, Token, Tolerance, suspicions
from relance_ingest.domain.texts import is_disposable, links_in, text_hash
from relance_ingest.sources.spam import NOT_LOOKED_AT, Spam
from relance_ingest.spam.captcha import CaptchaProviders
from relance_ingest.spam.evidence import Evidence
from relance_ingest.spam.form_tokens import FormTokens
from relance_ingest.spam.repetitions import Repetitions


@dataclass(frozen=True)
class Screening:
    """Gathers the signals. What is switched off costs nothing: no query, no request."""

    tokens: FormTokens | None
    captchas: CaptchaProviders
    repetitions: Repetitions
    clock: Clock
    pseudonyms: Pseudonyms

    def issued_at(self, source: str, token: str) -> datetime | None:
        """When a form's token was given; None for one that was not, or where none are given."""
        return self.tokens.issued_at(source, token) if self.tokens else None

    async def looked_at(self, spam: Spam, lead: NewLead, evidence: Evidence) -> NewLead:
        """The lead, with whatever there is to suspect beside what is suspected already."""
        suspected = (*lead.suspicions, *await self.suspicions(spam, lead, evidence))
        return replace(lead, suspicions=suspected) if suspected else lead

    async def suspicions(self, spam: Spam, lead: NewLead, evidence: Evidence) -> tuple[Suspicion, ...]:
        """Every reason; none for an honest submission."""
        if spam == NOT_LOOKED_AT:
            return ()
        issued_at = self.issued_at(lead.source, evidence.token) if evidence.token else None
        token = _hash(evidence.token) if evidence.token and issued_at else None
        content = _content(spam, lead)
        others = await self.repetitions.others(
            ({token: spam.form_token.max_age} if token else {})
            | ({content: spam.repeated_content.within} if content and spam.repeated_content else {}),
            "".join(self.pseudonyms.person_keys(lead.contact.email, lead.contact.phone)[:1]),
        )
        age = self.clock() - issued_at if issued_at else None
        signals = Signals(
            honeypot_filled=evidence.honeypot_filled,
            token=Token(age, sent_by_others=bool(token and others[token])) if evidence.token else None,
            captcha=await self._captcha(spam, lead, evidence),
            disposable_email=_is_disposable(spam, lead.contact.email),
            links=_links(spam, lead),
            others_with_the_same_text=others[content] if content else 0,
        )
        return suspicions(signals, _tolerance(spam))

    async def _captcha(self, spam: Spam, lead: NewLead, evidence: Evidence) -> Captcha:
        if spam.captcha is None:
            return Captcha.NOT_ASKED
        key = (lead.source, lead.idempotency_key) if lead.idempotency_key else None
        return await self.captchas.verdict(spam.captcha, evidence.captcha, key)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _content(spam: Spam, lead: NewLead) -> bytes | None:
    if spam.repeated_content is None:
        return None
    return text_hash(lead.source, [lead.fields.get(name, "") for name in spam.repeated_content.fields])


def _links(spam: Spam, lead: NewLead) -> int:
    if spam.most_links is None:
        return 0
    return links_in([*lead.fields.values(), lead.contact.name or "", lead.contact.company or ""])


def _is_disposable(spam: Spam, email: str | None) -> bool:
    if spam.disposable_mail is None or email is None:
        return False
    return is_disposable(email, blocklist, blocked=spam.disposable_mail.block, allowed=spam.disposable_mail.allow)


def _tolerance(spam: Spam) -> Tolerance:
    return Tolerance(
        token_required=spam.form_token.required,
        shortest_fill=spam.form_token.min_fill,
        longest_fill=spam.form_token.max_age,
        most_links=spam.most_links,
        # Whoever is the so-manieth has one fewer before them.
        others_with_the_same_text=spam.repeated_content.people - 1 if spam.repeated_content else None,
    )
