"""Promises of rate limits: whom they stop, and what memory they take."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relance_ingest.sources.spam import Limits
from relance_ingest.spam.moving_windows import MovingWindows
from relance_ingest.spam.rate_limits import RateLimits


async def test_one_address_that_sends_too_much_stands_in_nobody_s_way() -> None:
    """Not even its own refused attempts count against the source."""
    limits, rate_limits = Limits(per_address="2/hour", per_source="5/hour"), RateLimits()
    assert [await rate_limits.exceeded("website", limits, "192.0.2.1") is None for _ in range(2)] == [True, True]
    for _ in range(10):
        refused = await rate_limits.exceeded("website", limits, "192.0.2.1")
        assert refused is not None
        assert refused.limit == "address"
        assert timedelta(minutes=59) < refused.retry_after <= timedelta(hours=1)
    assert await rate_limits.exceeded("website", limits, "192.0.2.2") is None
    assert await rate_limits.exceeded("ads", limits, "192.0.2.1") is None


async def test_everybody_together_is_limited_by_source_and_leaves_no_windows_beyond_it() -> None:
    """A flood from many addresses takes no more memory than the source's limit."""
    limits, rate_limits = Limits(per_address="2/hour", per_source="5/hour"), RateLimits()
    found = [await rate_limits.exceeded("website", limits, f"2001:db8:{n:x}::1") for n in range(1000)]
    assert [each.limit if each else None for each in found] == [None] * 5 + ["source"] * 995
    assert len(rate_limits.windows) == 6


async def test_what_is_kept_is_no_address() -> None:
    """Only a hash with a key that nobody else has."""
    rate_limits = RateLimits()
    await rate_limits.exceeded("website", Limits(), "192.0.2.1")
    assert "192.0.2" not in repr(vars(rate_limits.windows)) + repr(rate_limits)


async def test_windows_have_a_bound_and_the_one_hit_longest_ago_goes_first() -> None:
    """An attacker with many addresses fills no memory."""
    windows = MovingWindows(most=3)
    for key in ("a", "b", "c", "a", "d"):
        assert await windows.acquire_entry(key, 10, 60)
    assert len(windows) == 3
    counts = {key: (await windows.get_moving_window(key, 10, 60))[1] for key in "abcd"}
    assert counts == {"a": 2, "b": 0, "c": 1, "d": 1}


@given(st.integers(1, 20), st.integers(0, 40))
async def test_never_more_than_the_limit_within_one_window(limit: int, hits: int) -> None:
    """And never fewer."""
    windows = MovingWindows()
    taken = [await windows.acquire_entry("key", limit, 3600) for _ in range(hits)]
    assert sum(taken) == min(limit, hits)
    assert (await windows.get_moving_window("key", limit, 3600))[1] == min(limit, hits)


@pytest.mark.parametrize("rate", ["20", "0/minute", "20 per minute", "5/month", "9999999/second", "-1/hour"])
def test_a_rate_that_makes_no_sense_is_refused(rate: str) -> None:
    """With the file, at start."""
    with pytest.raises(ValidationError):
        Limits(per_address=rate)
