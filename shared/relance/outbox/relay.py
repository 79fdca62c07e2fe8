"""Publishing what the outbox holds.

Rows are taken in id order, sent, and deleted once the broker has acknowledged them. Never "id greater than the last
one seen": ids become visible out of order. A crash between acknowledgement and deletion sends again; inboxes drop it.

A replica that stands still (frozen, paused, its host lost) loses its session after `STANDS_STILL`, with the lock, and
another publishes all that it has not deleted. What it had in hand it sends again when it wakes, and can delete nothing.
That is harmless: of one lead both send the same first events in the same order, the other then those that follow, so
that however the two mix, the first copy of an event comes after the first copies of all before it. Inboxes, and whoever
else reads the topics, drop by event id what comes again.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
from aiokafka.errors import MessageSizeTooLargeError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import faults
from relance.backoff import Backoff
from relance.database import STANDS_STILL, Database
from relance.error_text import error_text
from relance.kafka.publisher import KafkaPublisher, Message
from relance.logs import get_logger
from relance.metrics import OUTBOX_AGE, OUTBOX_DEPTH, OUTBOX_PUBLISHED, OUTBOX_RELAY_FAULTS
from relance.personal_data import CannotOpen
from relance.start_up import StartRefused
from relance.ticker import Wake

log = get_logger(__name__)

BATCH = 500
POLL = timedelta(milliseconds=500)
"""The guarantee; `nudge` is the hint that makes it milliseconds."""
REST = timedelta(milliseconds=10)
"""After a batch: what comes meanwhile shares the next one. What comes after a while is published at once."""
MEASURE_EVERY = timedelta(seconds=2)
"""Also while Kafka keeps it waiting: to PostgreSQL it would seem to stand still."""

_LOCK = text("SELECT pg_try_advisory_lock(hashtext(:name))")
_TAKE = """
    SELECT id, aggregate_type, aggregate_id, payload, headers FROM outbox
    WHERE aggregate_id <> ALL($2::text[]) ORDER BY id LIMIT $1
"""
_DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
_MEASURE = text("""
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0) FROM outbox
""")


async def check_waiting(database: Database) -> None:
    """See whether what waits in a database's outbox can be published.

    Raises:
        StartRefused: what is to be published first is sealed, and there is no key to it.
    """
    async with database.driver() as connection:
        rows = await connection.fetch(_TAKE, BATCH, [])
    try:
        for row in rows:
            database.personal_data.open_document_text(row["payload"])
    except CannotOpen as error:
        raise StartRefused(
            f"Not started: events that wait in {database.schema}.outbox to be published are sealed with a "
            "key that is not in RELANCE_PERSONAL_DATA_KEYS. Nothing is lost. Put the keys from before there, "
            'behind the present one, or an empty one if nothing is to be sealed: ["", "KEY"]. Take them out once '
            "`encrypt` has been through (docs/privacy.md)."
        ) from error


class OutboxRelay:
    """Publishes one schema's outbox. Of all replicas one is active, by advisory lock; the others stand by."""

    def __init__(
        self,
        database: Database,
        publisher: KafkaPublisher,
        *,
        topic_prefix: str,
        idle_limit: timedelta = STANDS_STILL,
    ) -> None:
        """After `idle_limit` without a word from it, its place is another's; well above `MEASURE_EVERY`."""
        self._database = database
        self._publisher = publisher
        self._topic_prefix = topic_prefix
        self._idle_limit = idle_limit
        self._channel = f"{database.schema}_outbox"
        self._wake = Wake()
        self._measure_at = 0.0

    def nudge(self) -> None:
        """Say that rows have just been committed."""
        self._wake.nudge()

    def request_stop(self) -> None:
        """Publish what is there, then return from `run`."""
        self._wake.request_stop()

    async def run(self) -> None:
        """Relay until stopped, over every loss of PostgreSQL or Kafka."""
        backoff = Backoff()
        while not self._wake.stopping:
            try:
                async with self._database.session(self._idle_limit) as connection:
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    # A deletion that a crash undoes is published again, which inboxes drop: nobody waits for the disk.
                    await connection.execute(text("SET synchronous_commit = off"))
                    if await self._stand_by(connection):
                        backoff.reset()
                        await self._relay(connection)
            except Exception as error:
                if not faults.is_transient(error):
                    raise
                OUTBOX_RELAY_FAULTS.inc()
                delay = backoff.advance()
                log.warning("outbox relay interrupted", error=error_text(error), retry_in_seconds=delay.total_seconds())
                await asyncio.sleep(delay.total_seconds())

    async def _stand_by(self, connection: AsyncConnection) -> bool:
        """Wait for the advisory lock. It is the connection's: losing the one is losing the other.

        False when the service stopped first.
        """
        while not self._wake.stopping:
            if (await connection.execute(_LOCK, {"name": self._channel})).scalar_one():
                log.info("outbox relay active")
                return True
            # As the active one does, which may stand still.
            await self._measure(connection)
            if await self._wake.sleep(POLL):
                # A local commit, and another replica publishes: tell it. Outside any transaction, because a
                # NOTIFY inside one makes every commit of the database queue up behind it.
                await connection.execute(text(f"NOTIFY {self._channel}"))
        return False

    async def _relay(self, connection: AsyncConnection) -> None:
        raw = (await connection.get_raw_connection()).driver_connection
        if not isinstance(raw, asyncpg.Connection):
            raise TypeError("the outbox relay needs asyncpg")
        await raw.add_listener(self._channel, lambda *_: self._wake.nudge())
        held: set[str] = set()
        while True:
            # First: without Kafka this is as far as it gets, and just then the outbox fills.
            await self._measure(connection)
            published = await self._publish_batch(connection, raw, held)
            if published < BATCH:
                if self._wake.stopping:
                    return
                if published:
                    await asyncio.sleep(REST.total_seconds())
                await self._wake.sleep(POLL)

    async def _publish_batch(self, connection: AsyncConnection, raw: asyncpg.Connection, held: set[str]) -> int:
        """How many were taken. An event too large for Kafka stays, and so does what follows it with the same key.

        Theirs are the keys in `held`: nobody else waits for them.
        """
        # asyncpg itself: when events come one by one, SQLAlchemy would cost as much as all the rest.
        rows = await raw.fetch(_TAKE, BATCH, list(held))
        if not rows:
            return 0
        messages = [
            Message(
                topic=self._topic_prefix + row["aggregate_type"],
                key=row["aggregate_id"].encode(),
                value=self._database.personal_data.open_document_text(row["payload"]).encode(),
                headers=[(name, value.encode()) for name, value in row["headers"].items()],
            )
            for row in rows
        ]
        sent, failure = await self._publish(connection, messages)
        if sent:
            await raw.execute(_DELETE, [row["id"] for row in rows[:sent]])
            OUTBOX_PUBLISHED.inc(sent)
        if isinstance(failure, MessageSizeTooLargeError):
            held.add(rows[sent]["aggregate_id"])
            log.error("event too large for kafka", outbox=self._database.schema, id=rows[sent]["id"])
        elif failure:
            raise failure
        return len(rows)

    async def _publish(
        self, connection: AsyncConnection, messages: Sequence[Message]
    ) -> tuple[int, BaseException | None]:
        publishing = asyncio.create_task(self._publisher.publish(messages))
        try:
            while not (await asyncio.wait([publishing], timeout=MEASURE_EVERY.total_seconds()))[0]:
                await self._measure(connection)
            return publishing.result()
        finally:
            publishing.cancel()

    async def _measure(self, connection: AsyncConnection) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._measure_at:
            self._measure_at = now + MEASURE_EVERY.total_seconds()
            depth, age = (await connection.execute(_MEASURE)).one()
            OUTBOX_DEPTH.set(depth)
            OUTBOX_AGE.set(float(age))
