"""When a notification is tried again, and when it is given up."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

FIRST = timedelta(seconds=1)
LONGEST = timedelta(minutes=10)
GIVE_UP_AFTER = timedelta(hours=24)

_GONE = HTTPStatus.GONE.value
_ASKS_FOR_TIME = {HTTPStatus.TOO_MANY_REQUESTS.value, HTTPStatus.SERVICE_UNAVAILABLE.value}


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt: the answer's status and its Retry-After, or what kept it from being answered."""

    status: int | None
    """Of HTTP or, for e-mail, of SMTP, whose 250 is a success too."""
    error: str | None = None
    retry_after: timedelta | None = None
    response: str | None = None
    """The beginning of the answer's text."""
    hopeless: bool = False
    """The same attempt cannot succeed later: the mail server refuses it for good, or there is no mail server."""
    about_the_message: bool = False
    """It says nothing of how the endpoint is."""


@dataclass(frozen=True)
class Delivered:
    """The endpoint took it."""


@dataclass(frozen=True)
class TryAgain:
    """Try again this much later."""

    delay: timedelta


@dataclass(frozen=True)
class GiveUp:
    """Do not try again; the sentence is for the delivery log."""

    reason: str


@dataclass(frozen=True)
class Disable:
    """Send nothing more to this endpoint until its address changes or an operator enables it."""

    reason: str


Step = Delivered | TryAgain | GiveUp | Disable


def succeeded(outcome: Outcome) -> bool:
    """Whether the endpoint took it: any 2xx, as Standard Webhooks says."""
    return outcome.status is not None and HTTPStatus.OK <= outcome.status < HTTPStatus.MULTIPLE_CHOICES


def asks_for_time(outcome: Outcome) -> bool:
    """Whether the endpoint answered that it has too much to do."""
    return outcome.status in _ASKS_FOR_TIME


def next_step(attempts: int, age: timedelta, outcome: Outcome, jitter: float) -> Step:
    """Decide after the `attempts`-th attempt (1 for the first) at a notification of this `age`.

    Exponential backoff with equal jitter: between half and all of the ceiling, by `jitter` in [0, 1). Any answer but
    2xx is tried again, because a rep's tool that answers 400 today may be mended within hours; redirects are not
    followed. 410 says that the endpoint is gone for good (Standard Webhooks).
    """
    if succeeded(outcome):
        return Delivered()
    if outcome.status == _GONE:
        return Disable("the endpoint answered 410 Gone")
    if outcome.hopeless:
        return GiveUp(outcome.error or f"refused for good with {outcome.status}")
    if age >= GIVE_UP_AFTER:
        return GiveUp(f"not delivered within {GIVE_UP_AFTER}")
    ceiling = min(LONGEST, FIRST * (1 << min(attempts - 1, 20)))
    delay = ceiling * (0.5 + jitter / 2)
    if asks_for_time(outcome) and outcome.retry_after is not None:
        delay = max(delay, min(outcome.retry_after, LONGEST))
    return TryAgain(delay)
