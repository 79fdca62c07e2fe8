"""Promises of the delivery retries."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance_router.domain.retry_schedule import (
    GIVE_UP_AFTER,
    LONGEST,
    Delivered,
    Disable,
    GiveUp,
    Outcome,
    TryAgain,
    next_step,
)

jitters = st.floats(0, 1, exclude_max=True)
YOUNG = timedelta(minutes=1)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    """As Standard Webhooks says."""
    assert next_step(1, YOUNG, Outcome(status), 0.5) == Delivered()


def test_410_disables_the_endpoint_at_once() -> None:
    """The endpoint says that it is gone for good."""
    assert isinstance(next_step(1, YOUNG, Outcome(410), 0.5), Disable)


def test_what_cannot_succeed_later_is_given_up_at_once() -> None:
    """With the sentence that says why."""
    assert next_step(1, YOUNG, Outcome(550, "no such mailbox", hopeless=True), 0.5) == GiveUp("no such mailbox")


@given(st.integers(1, 10_000), st.sampled_from([None, 301, 400, 404, 429, 500, 503]), jitters)
def test_waits_grow_and_are_bounded(attempts: int, status: int | None, jitter: float) -> None:
    """Between half and all of 1 s, 2 s, 4 s ... up to the longest."""
    step = next_step(attempts, YOUNG, Outcome(status, "no answer in time"), jitter)
    assert isinstance(step, TryAgain)
    ceiling = min(LONGEST, timedelta(seconds=2 ** min(attempts - 1, 20)))
    assert ceiling / 2 <= step.delay <= ceiling


@given(st.integers(1, 50), st.sampled_from([None, 301, 400, 500]), jitters)
def test_what_is_too_old_is_given_up_with_a_reason(attempts: int, status: int | None, jitter: float) -> None:
    """The delivery log says why."""
    step = next_step(attempts, GIVE_UP_AFTER, Outcome(status), jitter)
    assert isinstance(step, GiveUp)
    assert "not delivered within" in step.reason


def test_retry_after_is_respected_within_reason() -> None:
    """An endpoint that asks for a minute gets it; one that asks for a week does not."""
    minute = next_step(1, YOUNG, Outcome(429, retry_after=timedelta(minutes=1)), 0)
    week = next_step(1, YOUNG, Outcome(503, retry_after=timedelta(days=7)), 0)
    assert minute == TryAgain(timedelta(minutes=1))
    assert week == TryAgain(LONGEST)
