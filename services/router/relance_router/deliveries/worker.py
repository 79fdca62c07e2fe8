"""Sends what is due. Any number of replicas may run it; a restart takes up where the last one stopped.

Claim (a lease, committed) -> send, outside any transaction -> store the outcomes, in batches. A crash after sending
sends again with the same webhook-id, which receivers drop.
"""

import asyncio
import random
from collections import Counter
from datetime import timedelta

from relance.database import Database
from relance.logs import get_logger
from relance.ticker import Ticker
from relance_router import metrics
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries.endpoints import contact
from relance_router.deliveries.messages import Messages
from relance_router.deliveries.notifications import Claimed, Settled, claim, pending, settle
from relance_router.deliveries.sender import Sender
from relance_router.domain.configuration import Configuration
from relance_router.domain.retry_schedule import Delivered, GiveUp, Outcome, TryAgain, next_step

log = get_logger(__name__)

POLL = timedelta(seconds=1)
"""How often other replicas' notifications and expired leases are looked for; the ticker's `nudge` makes it at once."""


class DeliveryWorker:
    """Keeps up to `concurrency` attempts under way, and no more than `per_endpoint` at one endpoint."""

    def __init__(
        self,
        database: Database,
        versions: ConfigurationVersions,
        sender: Sender,
        messages: Messages,
        *,
        concurrency: int,
        per_endpoint: int,
        lease: timedelta,
    ) -> None:
        self._database = database
        self._versions = versions
        self._sender = sender
        self._messages = messages
        self._concurrency = concurrency
        self._per_endpoint = per_endpoint
        self._lease = lease
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._finished: list[Settled] = []
        self.ticker = Ticker("deliveries", self._turn, drained=lambda: not (self._under_way or self._finished))

    async def _turn(self) -> timedelta:
        """Store outcomes, claim and start what is due. Returns how long there is nothing to do."""
        await self._store()
        free = self._concurrency - len(self._under_way)
        if self.ticker.stopping or free <= 0:
            return POLL
        in_flight = Counter(self._under_way.values())
        busy = [endpoint for endpoint, count in in_flight.items() if count >= self._per_endpoint]
        async with self._database.transaction() as connection:
            running = await self._versions.running(connection)
            claimed = await claim(
                connection,
                batch=free,
                per_endpoint=self._per_endpoint,
                busy=busy,
                lease=self._lease,
            )
            count, due_in = (len(claimed), 0.0) if claimed else await pending(connection)
        for notification in claimed:
            task = asyncio.create_task(self._attempt(notification, running.configuration))
            self._under_way[task] = notification.endpoint
            task.add_done_callback(self._attempt_ended)
        if claimed:
            return timedelta()
        metrics.NOTIFICATIONS_PENDING.set(count)
        return POLL if due_in is None or due_in <= 0 else min(POLL, timedelta(seconds=due_in))

    async def _attempt(self, notification: Claimed, configuration: Configuration) -> None:
        reachable = contact(configuration, notification.endpoint)
        address = reachable.address if reachable else None
        with metrics.NOTIFICATION_SECONDS.time():
            if address is None:
                outcome = Outcome(None, f"the configuration has no {notification.endpoint}")
            else:
                outcome = await self._sender.send(notification, self._messages.body(notification), address[1])
        step = next_step(notification.attempts, notification.age, outcome, random.random())  # noqa: S311 - spreads load
        metrics.NOTIFIED.labels(type(step).__name__).inc()
        log.info(
            "notification attempt",
            notification_id=str(notification.id),
            endpoint=notification.endpoint,
            attempt=notification.attempts,
            status=outcome.status,
            error=outcome.error,
            led_to=type(step).__name__,
        )
        self._finished.append(_settled(notification, outcome, step))

    def _attempt_ended(self, task: "asyncio.Task[None]") -> None:
        del self._under_way[task]
        self.ticker.nudge()
        if not task.cancelled() and (error := task.exception()):
            log.error("attempt failed in our own code; its lease will run out", exc_info=error)

    async def _store(self) -> None:
        if not self._finished:
            return
        outcomes = self._finished[:]
        async with self._database.transaction() as connection:
            await settle(connection, outcomes)
        del self._finished[: len(outcomes)]


def _settled(notification: Claimed, outcome: Outcome, step: Delivered | TryAgain | GiveUp) -> Settled:
    match step:
        case Delivered():
            return Settled(notification.id, "delivered", None, outcome.status, None)
        case TryAgain(delay):
            return Settled(notification.id, "pending", delay, outcome.status, outcome.error)
        case GiveUp(reason):
            return Settled(notification.id, "failed", None, outcome.status, reason)
