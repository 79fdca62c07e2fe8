"""The inbox: an event's effects are made once, however often it is delivered.

The handled event's id is written in the transaction of its effects. A second owner of the partition, in a rebalance,
waits on the first one's uncommitted row and then finds the event handled.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import faults
from relance.database import Database
from relance.ids import EventId
from relance.logs import get_logger

log = get_logger(__name__)

REMEMBER = timedelta(days=30)
"""Must exceed how long Kafka keeps messages."""
FORGET_EVERY = timedelta(hours=1)

_CLAIM = text("""
    INSERT INTO inbox (consumer, event_id)
    SELECT :consumer, event_id FROM unnest(CAST(:event_ids AS uuid[])) AS given (event_id)
    ORDER BY event_id
    ON CONFLICT DO NOTHING
    RETURNING event_id
""")
_FORGET = text("DELETE FROM inbox WHERE handled_at < now() - CAST(:age AS interval)")


async def claim(connection: AsyncConnection, consumer: str, events: Sequence[EventId]) -> set[EventId]:
    """Mark events as handled by this transaction; returns those that no committed transaction had handled before."""
    rows = await connection.execute(_CLAIM, {"consumer": consumer, "event_ids": list(events)})
    return set(rows.scalars())


class InboxPruner:
    """Forgets handled events that Kafka cannot deliver again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stopping = asyncio.Event()

    def request_stop(self) -> None:
        """Stop pruning."""
        self._stopping.set()

    async def run(self) -> None:
        """Prune once an hour until stopped."""
        while not self._stopping.is_set():
            try:
                async with self._database.transaction() as connection:
                    forgotten = (await connection.execute(_FORGET, {"age": REMEMBER})).rowcount
                log.debug("inbox pruned", forgotten=forgotten)
            except Exception as error:
                if not faults.is_transient(error):
                    raise
                log.warning("inbox not pruned", error=repr(error))
            try:
                async with asyncio.timeout(FORGET_EVERY.total_seconds()):
                    await self._stopping.wait()
            except TimeoutError:
                continue
