"""What a submission is to the lead that has its idempotency key already: the same again, more of it, or another."""

from collections.abc import Iterable
from enum import Enum


class Repetition(Enum):
    """Of a submission whose key is known."""

    SAME = "same"
    REVISION = "revision"
    OTHER = "other"
    """The key belongs to another submission, and this one may not change it."""


def repetitions(stored: bytes, submitted: Iterable[tuple[bytes, bool]]) -> list[Repetition]:
    """What each submission is, taken one after the other.

    `stored` is the fingerprint of what the lead says now; each submission has its fingerprint and whether it may
    revise. A revision is what the lead says from then on.
    """
    found: list[Repetition] = []
    for fingerprint, revisable in submitted:
        if fingerprint == stored:
            found.append(Repetition.SAME)
        elif revisable:
            found.append(Repetition.REVISION)
            stored = fingerprint
        else:
            found.append(Repetition.OTHER)
    return found
