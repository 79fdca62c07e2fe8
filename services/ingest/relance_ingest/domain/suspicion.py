"""Why a lead is suspected of being spam: signals in, reasons out. A suspected lead is kept, and waits for a person."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum


class Suspicion(StrEnum):
    """A reason, as it is stored and counted."""

    HONEYPOT = "honeypot"
    TOKEN_MISSING = "token_missing"  # noqa: S105 - no password
    TOKEN_INVALID = "token_invalid"  # noqa: S105
    TOKEN_REPLAYED = "token_replayed"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    FILLED_TOO_FAST = "filled_too_fast"
    CAPTCHA_FAILED = "captcha_failed"
    CAPTCHA_UNAVAILABLE = "captcha_unavailable"
    DISPOSABLE_EMAIL = "disposable_email"
    TOO_MANY_LINKS = "too_many_links"
    REPEATED_CONTENT = "repeated_content"
    UNREACHABLE = "unreachable"


WORDS: dict[str, str] = {
    Suspicion.HONEYPOT: "A field was filled in that people do not see.",
    Suspicion.TOKEN_MISSING: "The form's token did not come with it: the form was not loaded first.",
    Suspicion.TOKEN_INVALID: "The form's token is not one that was given for this form.",
    Suspicion.TOKEN_REPLAYED: "Somebody else has sent the same token.",
    Suspicion.TOKEN_EXPIRED: "The form was loaded too long ago.",
    Suspicion.FILLED_TOO_FAST: "It was sent sooner after loading the form than people type.",
    Suspicion.CAPTCHA_FAILED: "The captcha was not solved.",
    Suspicion.CAPTCHA_UNAVAILABLE: "The captcha's provider could not be asked, so nobody knows whether it was solved.",
    Suspicion.DISPOSABLE_EMAIL: "The e-mail address is of a kind that is thrown away, or blocked for this source.",
    Suspicion.TOO_MANY_LINKS: "The text has more links than people send.",
    Suspicion.REPEATED_CONTENT: "Other people have sent the same text within a short time.",
    Suspicion.UNREACHABLE: "It came without an e-mail address or number that works: nobody can answer.",
}
"""What a person is told of each."""


class Captcha(Enum):
    """What is known of the captcha."""

    NOT_ASKED = "not asked"
    """The source has none."""
    SOLVED = "solved"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Token:
    """The form's token, as it came. `age` is how long ago it was given; None when it is none of ours.

    It is negative when it was given by a replica whose clock is ahead: then nobody knows how long it took.
    """

    age: timedelta | None
    sent_by_others: bool = False


@dataclass(frozen=True)
class Signals:
    """What was seen of a submission."""

    honeypot_filled: bool = False
    token: Token | None = None
    captcha: Captcha = Captcha.NOT_ASKED
    disposable_email: bool = False
    links: int = 0
    others_with_the_same_text: int = 0


@dataclass(frozen=True)
class Tolerance:
    """What a source bears without suspicion; None: all of it."""

    token_required: bool = False
    shortest_fill: timedelta = timedelta(seconds=3)
    longest_fill: timedelta = timedelta(days=1)
    most_links: int | None = None
    others_with_the_same_text: int | None = None
    """Fewer than so many."""


def suspicions(signals: Signals, tolerance: Tolerance) -> tuple[Suspicion, ...]:
    """Every reason to suspect this submission; none for an honest one."""
    return tuple(_found(signals, tolerance))


def mended(held_for: Sequence[str], now: Sequence[str]) -> bool:
    """Whether a lead that was held back for these is honest by what is said of it now.

    Only what is wrong with the content can be mended: whoever took the bait once is no person the next time.
    """
    return list(held_for) == [Suspicion.UNREACHABLE] and not now


def _found(signals: Signals, tolerance: Tolerance) -> Iterator[Suspicion]:
    if signals.honeypot_filled:
        yield Suspicion.HONEYPOT
    if signals.token is not None:
        yield from _of_token(signals.token, tolerance)
    elif tolerance.token_required:
        yield Suspicion.TOKEN_MISSING
    if signals.captcha is Captcha.FAILED:
        yield Suspicion.CAPTCHA_FAILED
    if signals.captcha is Captcha.UNAVAILABLE:
        yield Suspicion.CAPTCHA_UNAVAILABLE
    if signals.disposable_email:
        yield Suspicion.DISPOSABLE_EMAIL
    if tolerance.most_links is not None and signals.links > tolerance.most_links:
        yield Suspicion.TOO_MANY_LINKS
    others = tolerance.others_with_the_same_text
    if others is not None and signals.others_with_the_same_text >= others:
        yield Suspicion.REPEATED_CONTENT


def _of_token(token: Token, tolerance: Tolerance) -> Iterator[Suspicion]:
    if token.age is None:
        yield Suspicion.TOKEN_INVALID
        return
    if timedelta() <= token.age < tolerance.shortest_fill:
        yield Suspicion.FILLED_TOO_FAST
    if token.age > tolerance.longest_fill:
        yield Suspicion.TOKEN_EXPIRED
    if token.sent_by_others:
        yield Suspicion.TOKEN_REPLAYED
