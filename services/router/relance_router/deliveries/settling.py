"""Storing what attempts came to: of the notifications, of how their endpoints are, and in the log."""

import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from relance.ids import NotificationId
from relance.logs import get_logger
from relance_router import metrics
from relance_router.deliveries.delivery_log import LoggedAttempt, loggable, write_attempts
from relance_router.deliveries.endpoint_health import (
    MAIL,
    Healths,
    StoredHealth,
    digest,
    health_at,
    load_health,
    lock_health,
    store_health,
)
from relance_router.deliveries.endpoints import tool_address
from relance_router.deliveries.notifications import Settlement, lock_progress, settle
from relance_router.domain.circuit_breaker import after_attempt
from relance_router.domain.configuration import Reachable
from relance_router.domain.delivery_ways import EndpointHealth, Progress, after_email, after_tool, tool_goes_on
from relance_router.domain.retry_schedule import Disable, GiveUp, Step, TryAgain, succeeded
from relance_router.routing.leads import transaction_time

log = get_logger(__name__)


@dataclass(frozen=True)
class Finished:
    """An attempt that is over."""

    logged: LoggedAttempt
    step: Step
    contact: Reachable | None
    """Who was told; None when the configuration does not have them."""
    probe: bool
    """Whether it was the one attempt of a half-open circuit."""

    @property
    def party(self) -> str:
        """Whose circuit it says something about."""
        notification = self.logged.notification
        return MAIL if notification.by_email else notification.endpoint


async def store(connection: AsyncConnection, finished: Sequence[Finished], mail_address: str) -> None:
    """Store these attempts."""
    progress, erased = await lock_progress(connection, sorted({each.logged.notification.id for each in finished}))
    healths = await _store_health(connection, finished, mail_address)
    for by_email in (False, True):
        settlements = []
        for each in finished:
            if each.logged.notification.by_email is by_email:
                reached = _progress(progress[each.logged.notification.id], each, healths)
                progress[each.logged.notification.id] = reached
                settlements.append(_settlement(each, reached, erased))
        if settlements:
            await settle(connection, settlements)
    await write_attempts(connection, [each.logged for each in finished], erased)


def _progress(before: Progress, each: Finished, healths: Healths) -> Progress:
    contact = each.contact
    if not each.logged.notification.by_email:
        return after_tool(before, each.step, has_email=contact is not None and contact.email is not None)
    health = health_at(healths, each.logged.notification.endpoint, tool_address(contact))
    return after_email(before, each.step, tool_goes_on=tool_goes_on(contact, health))


def _settlement(each: Finished, reached: Progress, erased: Collection[NotificationId]) -> Settlement:
    notification, outcome, step = each.logged.notification, each.logged.attempt.outcome, each.step
    error = step.reason if isinstance(step, GiveUp | Disable) else outcome.error
    return Settlement(
        notification.id,
        reached,
        notification.by_email,
        step.delay if isinstance(step, TryAgain) else None,
        outcome.status,
        loggable(error, notification, erased),
    )


async def _store_health(connection: AsyncConnection, finished: Sequence[Finished], mail_address: str) -> Healths:
    """How the endpoints concerned are after these attempts. Only what is not well, or was not, has a row to lock."""
    by_party: dict[str, list[Finished]] = defaultdict(list)
    for each in finished:
        by_party[each.party].append(each)
    endpoints = {each.logged.notification.endpoint for each in finished}
    stored = await load_health(connection, sorted({*by_party, *endpoints}))
    addresses = {
        party: mail_address if party == MAIL else tool_address(attempts[-1].contact)
        for party, attempts in by_party.items()
    }
    concerned = [
        party
        for party, attempts in by_party.items()
        if health_at(stored, party, addresses[party]) != EndpointHealth()
        or not all(succeeded(each.logged.attempt.outcome) for each in attempts)
    ]
    if not concerned:
        return stored
    now = await transaction_time(connection)
    locked = await lock_health(connection, concerned)
    changed: dict[str, StoredHealth] = {}
    for party in concerned:
        health = locked[party].at(addresses[party])
        for each in by_party[party]:
            before, health = health, _health_after(health, each, now)
            _tell_turn(party, before, health)
        changed[party] = StoredHealth(health, digest(addresses[party]))
    await store_health(connection, changed)
    return {**stored, **changed}


def _health_after(health: EndpointHealth, each: Finished, now: datetime) -> EndpointHealth:
    if health.disabled_because is not None:
        return health
    if isinstance(each.step, Disable):
        return EndpointHealth(disabled_because=each.step.reason)
    jitter = random.random()  # noqa: S311 - spreads load
    outcome = each.logged.attempt.outcome
    return EndpointHealth(after_attempt(health.circuit, outcome, probe=each.probe, now=now, jitter=jitter))


def _tell_turn(party: str, before: EndpointHealth, after: EndpointHealth) -> None:
    if after.disabled_because != before.disabled_because:
        turn = "disabled"
    elif after.circuit.openings > before.circuit.openings:
        turn = "open"
    elif before.circuit.open_until is not None and after.circuit.open_until is None:
        turn = "closed"
    else:
        return
    metrics.ENDPOINT_TURNS.labels(turn).inc()
    log.warning(
        "endpoint turned",
        endpoint=party,
        to=turn,
        failures=after.circuit.failures,
        until=after.circuit.open_until.isoformat() if after.circuit.open_until else None,
        reason=after.disabled_because,
    )
