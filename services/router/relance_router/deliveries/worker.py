"""Sends what is due. Any number of replicas may run it; a restart takes up where the last one stopped.

Claim (a lease, committed) -> send, outside any transaction -> store the outcomes, in batches. A crash after sending
sends again with the same webhook-id, which receivers drop.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance.logs import get_logger
from relance.ticker import Ticker
from relance_router import metrics
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries.couriers import Attempt, Couriers
from relance_router.deliveries.delivery_log import LoggedAttempt
from relance_router.deliveries.endpoint_health import (
    MAIL,
    Healths,
    endpoints_waiting,
    health_at,
    load_health,
    probe,
    reserve_probes,
    unwell,
)
from relance_router.deliveries.endpoints import contact, tool_address
from relance_router.deliveries.notifications import Claimed, Room, claim, expire, pending
from relance_router.deliveries.settling import Finished, store
from relance_router.domain.circuit_breaker import CircuitState, attempts_allowed
from relance_router.domain.configuration import Configuration, Reachable
from relance_router.domain.delivery_ways import ways
from relance_router.domain.retry_schedule import Outcome, next_step
from relance_router.routing.leads import transaction_time

log = get_logger(__name__)

POLL = timedelta(milliseconds=500)
"""How often retries, other replicas' notifications and expired leases are looked for; a `nudge` makes it at once."""
LOOK_AFTER_EVERY = timedelta(seconds=10)


@dataclass(frozen=True)
class _Plan:
    """Whom this worker may tell now."""

    tools: Sequence[Room]
    mails: Sequence[Room]
    mails_at_once: int
    half_open: Sequence[str]


class DeliveryWorker:
    """Keeps up to `concurrency` attempts under way, no more than `per_endpoint` at one tool and `mails` by e-mail."""

    def __init__(
        self,
        database: Database,
        versions: ConfigurationVersions,
        couriers: Couriers,
        *,
        concurrency: int,
        per_endpoint: int,
        mails: int,
        email_after: timedelta,
        lease: timedelta,
    ) -> None:
        self._database = database
        self._versions = versions
        self._couriers = couriers
        self._concurrency = concurrency
        self._per_endpoint = per_endpoint
        self._mails = mails
        self._email_after = email_after
        self._lease = lease
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._finished: list[Finished] = []
        self.ticker = Ticker("deliveries", self._turn, drained=lambda: not (self._under_way or self._finished))

    async def look_after(self) -> timedelta:
        """What needs doing now and then: give up what waited too long, and count what waits."""
        async with self._database.transaction() as connection:
            metrics.NOTIFICATIONS_EXPIRED.inc(await expire(connection))
            metrics.NOTIFICATIONS_PENDING.set(await pending(connection))
            for state, endpoints in (await unwell(connection)).items():
                metrics.ENDPOINTS_UNWELL.labels(state).set(endpoints)
        return LOOK_AFTER_EVERY

    async def _turn(self) -> timedelta:
        """Store outcomes, claim and start what is due. Returns how long there is nothing to do."""
        await self._store()
        free = self._concurrency - len(self._under_way)
        if self.ticker.stopping or free <= 0:
            return POLL
        async with self._database.transaction() as connection:
            configuration = (await self._versions.newest(connection)).configuration
            claimed, probes = await self._claim(connection, configuration, free)
        for notification in claimed:
            told = contact(configuration, notification.endpoint)
            way = MAIL if notification.by_email else notification.endpoint
            task = asyncio.create_task(self._attempt(notification, told, probe=way in probes))
            self._under_way[task] = way
            task.add_done_callback(self._attempt_ended)
        return timedelta() if claimed else POLL

    async def _claim(
        self, connection: AsyncConnection, configuration: Configuration, free: int
    ) -> tuple[list[Claimed], frozenset[str]]:
        """What is to be sent now, and those of its endpoints (or `MAIL`) for which it is the half-open probe."""
        waiting = await endpoints_waiting(connection)
        if not waiting:
            return [], frozenset()
        healths = await load_health(connection, [*waiting, MAIL])
        now = await transaction_time(connection)
        plan = self._plan(configuration, waiting, healths, now)
        reserved = await reserve_probes(connection, plan.half_open)
        lost = frozenset(plan.half_open) - frozenset(reserved)
        tools = [room for room in plan.tools if room.endpoint not in lost]
        claimed = await claim(connection, tools, by_email=False, batch=free, lease=self._lease)
        mails_at_once = 0 if MAIL in lost else min(plan.mails_at_once, free - len(claimed))
        claimed += await claim(connection, plan.mails, by_email=True, batch=mails_at_once, lease=self._lease)
        used = {MAIL if each.by_email else each.endpoint for each in claimed}
        probes = frozenset(reserved) & used
        await probe(connection, sorted(probes), self._lease)
        return claimed, probes

    def _plan(self, configuration: Configuration, waiting: Sequence[str], healths: Healths, now: datetime) -> _Plan:
        # What has ended counts until it is stored: only then is it known how the endpoint is.
        in_flight = Counter([*self._under_way.values(), *(each.party for each in self._finished)])
        tools: list[Room] = []
        mails: list[Room] = []
        half_open: list[str] = []
        mail = health_at(healths, MAIL, self._couriers.mailer.address)
        mails_at_once = attempts_allowed(mail.circuit, now, self._mails) - in_flight[MAIL]
        if mail.circuit.state(now) is CircuitState.HALF_OPEN:
            half_open.append(MAIL)
        for endpoint in waiting:
            told = contact(configuration, endpoint)
            health = health_at(healths, endpoint, tool_address(told))
            open_ways = ways(told, health, now, at_most=self._per_endpoint, after=self._email_after)
            room = open_ways.attempts - in_flight[endpoint]
            if room > 0:
                tools.append(Room(endpoint, room))
                if health.circuit.state(now) is CircuitState.HALF_OPEN:
                    half_open.append(endpoint)
            if open_ways.email_after is not None and mails_at_once > 0:
                mails.append(Room(endpoint, mails_at_once, open_ways.email_after))
        return _Plan(tools, mails, mails_at_once, half_open)

    async def _attempt(self, notification: Claimed, told: Reachable | None, *, probe: bool) -> None:
        started = time.perf_counter()
        attempt = await self._tried(notification, told)
        seconds = time.perf_counter() - started
        outcome = attempt.outcome
        step = next_step(notification.attempts, notification.age, outcome, random.random())  # noqa: S311 - spreads load
        metrics.NOTIFICATION_SECONDS.observe(seconds)
        metrics.NOTIFIED.labels(attempt.way, type(step).__name__).inc()
        log.info(
            "notification attempt",
            notification_id=str(notification.id),
            endpoint=notification.endpoint,
            way=attempt.way,
            attempt=notification.attempts,
            status=outcome.status,
            # A mail server's sentence may name the recipient; the delivery log has it.
            error=None if notification.by_email else outcome.error,
            led_to=type(step).__name__,
        )
        self._finished.append(Finished(LoggedAttempt(notification, attempt, seconds), step, told, probe))

    async def _tried(self, notification: Claimed, told: Reachable | None) -> Attempt:
        try:
            return await self._couriers.attempt(notification, told)
        except Exception as error:
            # One that we cannot put into words is tried and given up like any other, and holds up no endpoint.
            log.exception("an attempt failed in our own code", notification_id=str(notification.id))
            sentence = f"Relance failed to send it, see its log: {type(error).__name__}"
            return Attempt("none", Outcome(None, sentence, about_the_message=True))

    def _attempt_ended(self, task: "asyncio.Task[None]") -> None:
        del self._under_way[task]
        self.ticker.nudge()
        if not task.cancelled() and (error := task.exception()):
            log.error("an attempt is lost; its lease will run out", exc_info=error)

    async def _store(self) -> None:
        if not self._finished:
            return
        finished = self._finished[:]
        async with self._database.transaction() as connection:
            await store(connection, finished, self._couriers.mailer.address)
        del self._finished[: len(finished)]
