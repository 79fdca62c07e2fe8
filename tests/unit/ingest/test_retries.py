"""Promises of how long a lead is tried for that could not be fetched."""

from datetime import timedelta

from relance_ingest.domain.retries import FIRST, GIVEN_UP_AFTER, LONGEST, wait_before_next


def test_waits_grow_to_an_hour_and_end_after_a_month() -> None:
    """Somebody has that long to renew an access token."""
    waits = [wait_before_next(tries, timedelta()) for tries in range(1, 1000)]
    assert waits[:3] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert waits[-1] == LONGEST
    assert wait_before_next(1, GIVEN_UP_AFTER) is None
