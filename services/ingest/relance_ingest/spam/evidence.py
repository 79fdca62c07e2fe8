"""What a form sends for us and not for sales: bait that was taken, its token, and a captcha's answer."""

from dataclasses import dataclass

from relance_ingest.sources.spam import Spam

TOKEN_FIELD = "_token"  # noqa: S105 - the field's name
_CAPTCHA_FIELDS = {
    "turnstile": "cf-turnstile-response",
    "hcaptcha": "h-captcha-response",
    "recaptcha": "g-recaptcha-response",
}


@dataclass(frozen=True)
class Evidence:
    """Empty for what comes by another way than a form: a source that demands proof demands it there too."""

    honeypot_filled: bool = False
    token: str | None = None
    captcha: str | None = None


NO_EVIDENCE = Evidence()


def taken_from(form: dict[str, str], spam: Spam) -> Evidence:
    """Take it out of the form, which is the lead's from then on."""
    bait = form.pop(spam.honeypot, "") if spam.honeypot else ""
    answers = {kind: form.pop(name, None) for kind, name in _CAPTCHA_FIELDS.items()}
    return Evidence(
        honeypot_filled=bool(bait.strip()),
        token=form.pop(TOKEN_FIELD, None) or None,
        captcha=answers[spam.captcha.kind] or None if spam.captcha else None,
    )
