"""How a source is kept free of spam: `spam` of sources.yaml. A source without it is not looked at."""

from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Literal

from limits import RateLimitItem, parse
from pydantic import AfterValidator, AnyHttpUrl, BaseModel, ConfigDict, Field, StringConstraints

FieldName = Annotated[str, StringConstraints(pattern=r"^[^\s=&\x00]{1,64}$")]
Domain = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[^\s@]+\.[^\s@]+$")]
LONGEST_WINDOW = timedelta(days=1)


_parsed = lru_cache(parse)


def _rate(value: str) -> str:
    parsed = parse(value)
    if parsed.get_expiry() > LONGEST_WINDOW.total_seconds() or parsed.amount > 1_000_000:  # noqa: PLR2004
        raise ValueError("A rate counts a day at most, and a million at most: write it such as `20/minute`.")
    return value


Rate = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*/(second|minute|hour|day)$"), AfterValidator(_rate)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FormToken(_Part):
    """The token that a form fetches when it is loaded, and sends as `_token`."""

    required: bool = Field(False, description="Suspect what comes without one.")
    min_fill: timedelta = Field(timedelta(seconds=3), description="Nobody fills in the form sooner.")
    max_age: timedelta = Field(timedelta(days=1), description="A form that was loaded longer ago is suspected.")


class DisposableMail(_Part):
    """Addresses that are thrown away after use."""

    block: frozenset[Domain] = Field(frozenset(), description="Domains to suspect too, with all that are part of them.")
    allow: frozenset[Domain] = Field(frozenset(), description="Domains not to suspect, whatever the public list says.")


class RepeatedContent(_Part):
    """The same text from different people."""

    fields: tuple[FieldName, ...] = Field(("message",), min_length=1, description="The fields that hold the text.")
    people: int = Field(3, ge=2, le=1000, description="From the so-manieth person on, it is suspected.")
    within: timedelta = Field(timedelta(hours=1), gt=timedelta(), le=timedelta(days=7))


class CaptchaCheck(_Part):
    """A captcha, whose answer is checked with its provider before the lead is stored."""

    kind: Literal["turnstile", "hcaptcha", "recaptcha"]
    """reCAPTCHA of version 2: of version 3 everybody would pass, for its score is not read."""
    secret_env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")] = Field(
        description="The environment variable that holds the secret: the secret itself is in no file of ours."
    )
    verify_url: AnyHttpUrl | None = Field(None, description="Where to ask, when it is not the provider's own address.")
    timeout: timedelta = Field(timedelta(seconds=3), gt=timedelta(), le=timedelta(seconds=30))


class Limits(_Part):
    """How much is taken, by each process. Beyond it the answer is 429."""

    per_address: Rate = Field("60/minute", description="From one IPv4 address or IPv6 /64 network.")
    per_source: Rate = Field("600/minute", description="From everybody.")

    def parsed(self) -> tuple[RateLimitItem, RateLimitItem]:
        """For one address, and for the source."""
        return _parsed(self.per_address), _parsed(self.per_source)


FORM_LIMITS = Limits()
"""What holds for a source's forms while it sets nothing. With its key, a source that sets nothing has no limit."""


class Spam(_Part):
    """What is looked at. `{}` means: disposable addresses and too many links."""

    honeypot: FieldName | None = Field(None, description="A field that people do not see. Whoever fills it in is none.")
    form_token: FormToken = FormToken()
    disposable_mail: DisposableMail | None = Field(DisposableMail(), description="null: do not look.")
    most_links: int | None = Field(5, ge=0, description="Links in the text at most; null: any number.")
    repeated_content: RepeatedContent | None = None
    captcha: CaptchaCheck | None = None
    limits: Limits | None = Field(None, description="For forms and, when it is set, also for what comes with a key.")


NOT_LOOKED_AT = Spam(disposable_mail=None, most_links=None)
