"""The reference: a lead router as it is commonly written, on the same database and the same topic.

Per lead: one transaction that locks the rep who has waited longest, writes the lead and the assignment, notes the
turn; then the offset is committed. Run as a process: `naive_consumer DATABASE_URL BOOTSTRAP_SERVERS TOPIC GROUP`.
"""

import asyncio
import json
import signal
import sys
from contextlib import suppress

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from relance.ids import new_id

TABLES = """
    CREATE SCHEMA naive;
    CREATE TABLE naive.reps (id text PRIMARY KEY, team text NOT NULL, last_assigned_at timestamptz);
    CREATE INDEX ON naive.reps (last_assigned_at NULLS FIRST, id);
    CREATE TABLE naive.leads (id uuid PRIMARY KEY, data jsonb NOT NULL);
    CREATE TABLE naive.assignments (
        id uuid PRIMARY KEY,
        lead_id uuid NOT NULL UNIQUE REFERENCES naive.leads,
        rep text NOT NULL,
        team text NOT NULL,
        rule text NOT NULL,
        state text NOT NULL,
        assigned_at timestamptz NOT NULL,
        respond_by timestamptz NOT NULL
    );
"""
WORKING = "working"
"""Printed once the first lead is committed."""

_NEXT_REP = """
    SELECT id, team FROM naive.reps ORDER BY last_assigned_at NULLS FIRST, id LIMIT 1 FOR UPDATE
"""
_KEEP_LEAD = "INSERT INTO naive.leads (id, data) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id"
_ASSIGN = """
    INSERT INTO naive.assignments (id, lead_id, rep, team, rule, state, assigned_at, respond_by)
    VALUES ($1, $2, $3, $4, 'forms', 'open', now(), now() + interval '15 minutes')
"""
_TURN_TAKEN = "UPDATE naive.reps SET last_assigned_at = now() WHERE id = $1"


async def _assign(connection: asyncpg.Connection, value: bytes) -> None:
    lead = json.loads(value)
    async with connection.transaction():
        if await connection.fetchval(_KEEP_LEAD, lead["lead_id"], value.decode()) is None:
            return
        rep = await connection.fetchrow(_NEXT_REP)
        await connection.execute(_ASSIGN, new_id(), lead["lead_id"], rep["id"], rep["team"])
        await connection.execute(_TURN_TAKEN, rep["id"])


async def _consume(database_url: str, bootstrap_servers: str, topic: str, group: str) -> None:
    connection = await asyncpg.connect(database_url)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap_servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        said = False
        async for message in consumer:
            await _assign(connection, message.value)
            with suppress(CommitFailedError, IllegalStateError):  # the partition has gone to the other replica
                await consumer.commit({TopicPartition(message.topic, message.partition): message.offset + 1})
            if not said:
                said = True
                sys.stdout.write(f"{WORKING}\n")
                sys.stdout.flush()
    finally:
        await consumer.stop()
        await connection.close()


async def _until_stopped() -> None:
    work = asyncio.create_task(_consume(*sys.argv[1:]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    with suppress(asyncio.CancelledError):
        await work


if __name__ == "__main__":
    asyncio.run(_until_stopped())
