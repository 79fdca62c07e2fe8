"""What a submission is to the lead that has its idempotency key already: the same again, more of it, or another."""

from enum import Enum


class Repetition(Enum):
    """Of a submission whose key is known."""

    SAME = "same"
    REVISION = "revision"
    OTHER = "other"
    """The key belongs to another submission, and this one may not change it."""


def repetition(known: bytes, said: bytes, *, revisable: bool) -> Repetition:
    """Of the fingerprint of what is said, whose fingerprint is known; `revisable`: it may say more of the lead."""
    if said == known:
        return Repetition.SAME
    return Repetition.REVISION if revisable else Repetition.OTHER
