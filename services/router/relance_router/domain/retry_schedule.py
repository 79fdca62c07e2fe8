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
    error: str | None = None
    retry_after: timedelta | None = None


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


def next_step(attempts: int, age: timedelta, outcome: Outcome, jitter: float) -> Delivered | TryAgain | GiveUp:
    """Decide after the `attempts`-th attempt (1 for the first) at a notification of this `age`.

    Exponential backoff with equal jitter: between half and all of the ceiling, by `jitter` in [0, 1). Any answer but
    2xx is tried again, because a rep's tool that answers 400 today may be mended within hours; redirects are not
    followed. 410 says that the endpoint is gone for good (Standard Webhooks).
    """
    if outcome.status is not None and HTTPStatus.OK <= outcome.status < HTTPStatus.MULTIPLE_CHOICES:
        return Delivered()
    if outcome.status == _GONE:
        return GiveUp("the endpoint answered 410 Gone")
    if age >= GIVE_UP_AFTER:
        return GiveUp(f"not delivered within {GIVE_UP_AFTER}")
    ceiling = min(LONGEST, FIRST * (1 << min(attempts - 1, 20)))
    delay = ceiling * (0.5 + jitter / 2)
    if outcome.status in _ASKS_FOR_TIME and outcome.retry_after is not None:
        delay = max(delay, min(outcome.retry_after, LONGEST))
    return TryAgain(delay)
