"""The inbox: an event's effects are made once, however often it is delivered.

The handled event's id is written in the transaction of its effects. A second owner of the partition, in a rebalance,
waits on the first one's uncommitted row and then finds the event handled.

How far the effects reach is written with them too: Kafka's committed offsets come later, and lag behind.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance.ids import EventId
from relance.logs import get_logger

log = get_logger(__name__)

REMEMBER = timedelta(days=30)
"""Must exceed how long a message may be delivered again. Topics keep messages for ever, so Kafka must not forget how
far a group has come (`offsets.retention.minutes`, counted from when the last member left)."""
FORGET_EVERY = timedelta(hours=1)

_CLAIM = text("""
    INSERT INTO inbox (consumer, event_id)
    SELECT :consumer, event_id FROM unnest(CAST(:event_ids AS uuid[])) AS given (event_id)
    ORDER BY event_id
    ON CONFLICT DO NOTHING
    RETURNING event_id
""")
# A batch that is delivered again moves nothing back.
_ADVANCE = text("""
    INSERT INTO consumed (consumer, topic, partition, next_offset)
    SELECT :consumer, topic, partition, next_offset
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[]), CAST(:offsets AS bigint[]))
        AS given (topic, partition, next_offset)
    ORDER BY topic, partition
    ON CONFLICT (consumer, topic, partition) DO UPDATE
        SET next_offset = greatest(consumed.next_offset, excluded.next_offset)
""")
_FORGET = text("DELETE FROM inbox WHERE handled_at < now() - CAST(:age AS interval)")


async def claim(connection: AsyncConnection, consumer: str, events: Sequence[EventId]) -> set[EventId]:
    """Mark events as handled by this transaction; returns those that no committed transaction had handled before."""
    rows = await connection.execute(_CLAIM, {"consumer": consumer, "event_ids": list(events)})
    return set(rows.scalars())


async def advance(connection: AsyncConnection, consumer: str, reached: Mapping[tuple[str, int], int]) -> None:
    """Note how far this transaction's effects reach: by topic (without prefix) and partition, the next offset."""
    columns = {
        "topics": [topic for topic, _ in reached],
        "partitions": [partition for _, partition in reached],
        "offsets": list(reached.values()),
    }
    await connection.execute(_ADVANCE, {"consumer": consumer, **columns})


async def forget(database: Database) -> timedelta:
    """Forget handled events that Kafka cannot deliver again; returns when to do so next."""
    async with database.transaction() as connection:
        forgotten = (await connection.execute(_FORGET, {"age": REMEMBER})).rowcount
    log.debug("inbox pruned", forgotten=forgotten)
    return FORGET_EVERY
