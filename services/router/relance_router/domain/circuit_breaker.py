"""When an endpoint is left alone for a while, and how it is tried again.

The circuit breaker of M. Nygard, "Release It!" (2007), with pauses that back off: closed (everything is sent) -> open
(nothing is) after `FAILURES_TO_OPEN` failures in a row -> half open once the pause is over (one attempt, the probe) ->
closed by any success, or open for a longer pause by the probe's failure.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from relance_router.domain.retry_schedule import LONGEST, Outcome, asks_for_time, succeeded

FAILURES_TO_OPEN = 5
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)

_ABOUT_THE_MESSAGE = {
    HTTPStatus.BAD_REQUEST.value,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value,
    HTTPStatus.UNPROCESSABLE_ENTITY.value,
}


class CircuitState(StrEnum):
    """What an endpoint gets."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class Circuit:
    """What is remembered of an endpoint; as it is here, the endpoint is well."""

    failures: int = 0
    """In a row."""
    openings: int = 0
    """Pauses in a row."""
    open_until: datetime | None = None
    """The pause's end; None while the circuit is closed."""

    @property
    def broken(self) -> bool:
        """Whether the endpoint fails, rather than having asked for a pause."""
        return self.failures >= FAILURES_TO_OPEN

    def state(self, now: datetime) -> CircuitState:
        """Where the circuit stands."""
        if self.open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self.open_until else CircuitState.HALF_OPEN


def attempts_allowed(circuit: Circuit, now: datetime, at_most: int) -> int:
    """How many attempts may be under way at the endpoint."""
    return {CircuitState.CLOSED: at_most, CircuitState.OPEN: 0, CircuitState.HALF_OPEN: 1}[circuit.state(now)]


def after_attempt(circuit: Circuit, outcome: Outcome, *, probe: bool, now: datetime, jitter: float) -> Circuit:
    """The circuit after an attempt; `probe` says that it was the one attempt of a half-open circuit.

    400, 413 and 422 are about the one message and change nothing, unless they answer the probe: then the endpoint is
    there. 429 and 503 with Retry-After pause the endpoint for that long (bounded) and are no failure. An attempt that
    was under way when the circuit opened does not make the pause longer. `jitter` in [0, 1) takes up to half off.
    """
    if succeeded(outcome):
        return Circuit()
    if outcome.status in _ABOUT_THE_MESSAGE or outcome.about_the_message:
        return Circuit() if probe else circuit
    if outcome.retry_after is not None and asks_for_time(outcome):
        asked = now + min(outcome.retry_after, LONGEST)
        return replace(circuit, open_until=max(asked, circuit.open_until or asked))
    failures = circuit.failures + 1
    if failures < FAILURES_TO_OPEN and not probe:
        return replace(circuit, failures=failures)
    if circuit.open_until is not None and not probe:
        return replace(circuit, failures=failures)
    ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(circuit.openings, 20)))
    return Circuit(failures, circuit.openings + 1, now + ceiling * (1 - jitter / 2))
