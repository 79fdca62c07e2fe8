"""Promises of the circuit that leaves a failing endpoint alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance_router.domain.circuit_breaker import (
    FAILURES_TO_OPEN,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Circuit,
    CircuitState,
    after_attempt,
    attempts_allowed,
)
from relance_router.domain.retry_schedule import LONGEST, Outcome

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
FAILED = Outcome(None, "no answer in time")
jitters = st.floats(0, 1, exclude_max=True)
moments = st.integers(0, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds))
circuits = st.builds(Circuit, st.integers(0, 100), st.integers(0, 100), st.none() | moments)
outcomes = st.builds(
    Outcome,
    st.sampled_from([None, 200, 204, 250, 301, 400, 404, 410, 422, 429, 500, 503]),
    retry_after=st.none() | st.timedeltas(timedelta(), timedelta(days=9)),
)


def opened(*, times: int = 1) -> Circuit:
    """A circuit that has opened so often in a row."""
    circuit, now = Circuit(), NOW
    for _ in range(FAILURES_TO_OPEN):
        circuit = after_attempt(circuit, FAILED, probe=False, now=now, jitter=0)
    for _ in range(times - 1):
        assert circuit.open_until
        now = circuit.open_until
        circuit = after_attempt(circuit, FAILED, probe=True, now=now, jitter=0)
    return circuit


def test_so_many_failures_in_a_row_open_it() -> None:
    """One fewer does not, and a success in between starts the count again."""
    circuit = Circuit()
    for _ in range(FAILURES_TO_OPEN - 1):
        circuit = after_attempt(circuit, FAILED, probe=False, now=NOW, jitter=0)
        assert circuit.state(NOW) is CircuitState.CLOSED
    assert after_attempt(circuit, Outcome(204), probe=False, now=NOW, jitter=0) == Circuit()
    circuit = after_attempt(circuit, FAILED, probe=False, now=NOW, jitter=0)
    assert circuit.state(NOW) is CircuitState.OPEN
    assert circuit.broken


def test_after_the_pause_one_attempt_decides() -> None:
    """Its success closes the circuit, its failure opens it for longer."""
    circuit = opened()
    assert circuit.open_until == NOW + FIRST_PAUSE
    assert attempts_allowed(circuit, NOW, 8) == 0
    then = circuit.open_until
    assert (circuit.state(then), attempts_allowed(circuit, then, 8)) == (CircuitState.HALF_OPEN, 1)
    assert after_attempt(circuit, Outcome(200), probe=True, now=then, jitter=0) == Circuit()
    assert after_attempt(circuit, Outcome(422), probe=True, now=then, jitter=0) == Circuit(), "it answers again"
    again = after_attempt(circuit, FAILED, probe=True, now=then, jitter=0)
    assert again.open_until == then + 2 * FIRST_PAUSE


@given(st.integers(1, 60), jitters)
def test_pauses_grow_and_are_bounded(times: int, jitter: float) -> None:
    """Between half and all of 5 s, 10 s, 20 s ... up to the longest."""
    circuit = opened(times=times)
    assert circuit.open_until
    then = circuit.open_until
    again = after_attempt(circuit, FAILED, probe=True, now=then, jitter=jitter)
    assert again.open_until
    ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(times, 20))
    assert ceiling / 2 <= again.open_until - then <= ceiling


def test_attempts_that_were_under_way_when_it_opened_do_not_prolong_the_pause() -> None:
    """They say nothing new."""
    late = after_attempt(opened(), FAILED, probe=False, now=NOW + timedelta(seconds=1), jitter=0)
    assert late.open_until == opened().open_until


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_answer_about_one_message_does_not_count(status: int) -> None:
    """One message that a tool does not like keeps nothing from the others."""
    circuit = Circuit(failures=2)
    assert after_attempt(circuit, Outcome(status), probe=False, now=NOW, jitter=0) == circuit
    refused = Outcome(550, "no such mailbox", about_the_message=True)
    assert after_attempt(circuit, refused, probe=False, now=NOW, jitter=0) == circuit


@given(st.sampled_from([429, 503]), st.timedeltas(timedelta(seconds=1), timedelta(days=9)))
def test_an_endpoint_that_asks_for_time_gets_it_and_is_not_called_broken(status: int, asked: timedelta) -> None:
    """For all of its notifications; within reason."""
    paused = after_attempt(Circuit(), Outcome(status, retry_after=asked), probe=False, now=NOW, jitter=0)
    assert paused == Circuit(open_until=NOW + min(asked, LONGEST))
    assert not paused.broken


@given(circuits, outcomes, st.booleans(), moments, jitters)
def test_there_is_always_an_attempt_to_come(
    circuit: Circuit, outcome: Outcome, probe: bool, now: datetime, jitter: float
) -> None:
    """However an endpoint behaves, it is tried again within the longest pause, or what was promised before."""
    after = after_attempt(circuit, outcome, probe=probe, now=now, jitter=jitter)
    latest = max(now + LONGEST_PAUSE, circuit.open_until or now)
    assert attempts_allowed(after, latest, 8) >= 1
