"""How long a lead that could not be fetched is tried for, and how often."""

from datetime import timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=30)
"""Long enough for somebody to renew an access token that ran out; Meta itself forgets a lead after 90 days."""


def wait_before_next(tries: int, age: timedelta) -> timedelta | None:
    """The wait after this many tries that failed, `age` after the lead was told; None to give up."""
    if age >= GIVEN_UP_AFTER:
        return None
    return min(LONGEST, FIRST * (1 << min(tries - 1, 20)))
