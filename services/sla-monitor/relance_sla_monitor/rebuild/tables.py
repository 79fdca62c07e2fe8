"""The tables that are filled from topics: temporary ones to fill, and what takes their place once that is done.

Temporary tables come before all others of the same name. So the service's own statements fill them, no trigger counts,
no timer sees anything, the events that are written are told to nobody, and all of it is gone should it be interrupted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.migrations import statements
from relance_sla_monitor.figures import LABEL

REBUILT = ("calendars", "clocks", "former_terms", "stops", "steps", "dispositions", "unrouted_leads", "touches")
"""What topics tell."""
_ON_THE_WAY = ("inbox", "consumed", "outbox")
"""What handling writes beside; of the inbox and the offsets something is kept, of the outbox nothing."""
COUNTED = ("tallies", "tally_changes", "overdue_counted")
"""What is counted of the above."""
_EMPTIED = (*REBUILT, *COUNTED, "inbox", "consumed")
SPARED = ("spend", "campaigns", "settled", "outbox", "alembic_version")
"""What does not come from topics; and which campaigns have series, as those of others must not begin anew."""


@dataclass(frozen=True)
class State:
    """What changes when the service runs: `unpublished` events, offsets and steps."""

    unpublished: int
    consumed: Mapping[tuple[str, int], int]
    steps: int


async def may_create(connection: AsyncConnection) -> bool:
    """Whether the role may create temporary tables."""
    allowed = await connection.execute(text("SELECT has_database_privilege(current_database(), 'TEMPORARY')"))
    return bool(allowed.scalar_one())


async def read_state(connection: AsyncConnection, schema: str, consumer: str) -> State:
    """As it is now; topics are named without their prefix."""
    unpublished = (await connection.execute(text(f"SELECT count(*) FROM {schema}.outbox"))).scalar_one()
    steps = (await connection.execute(text(f"SELECT count(*) FROM {schema}.steps"))).scalar_one()
    consumed = await connection.execute(
        text(f"SELECT topic, partition, next_offset FROM {schema}.consumed WHERE consumer = :consumer"),
        {"consumer": consumer},
    )
    return State(unpublished, {(row.topic, row.partition): row.next_offset for row in consumed}, steps)


async def count_rows(connection: AsyncConnection, schema: str) -> dict[str, int]:
    """How many rows each table has that is to be rebuilt."""
    counts = ", ".join(f"(SELECT count(*) FROM {schema}.{table}) AS {table}" for table in REBUILT)
    return dict((await connection.execute(text(f"SELECT {counts}"))).mappings().one())


_TOLD_BY_US = """
    CREATE TEMPORARY TABLE fired (
        id bigint GENERATED ALWAYS AS IDENTITY,
        assignment_id uuid,
        clock text,
        step text,
        occurrence integer,
        action text NOT NULL,
        due_at timestamptz NOT NULL,
        fired_at timestamptz NOT NULL,
        event text NOT NULL,
        PRIMARY KEY (assignment_id, clock, step, occurrence, due_at)
    );
    CREATE TEMPORARY TABLE skipped (
        assignment_id uuid,
        clock text,
        step text,
        occurrence integer,
        due_at timestamptz,
        at timestamptz NOT NULL,
        because text NOT NULL,
        PRIMARY KEY (assignment_id, clock, step, occurrence, due_at)
    );
    CREATE TEMPORARY TABLE withdrawn (assignment_id uuid, clock text, PRIMARY KEY (assignment_id, clock))
"""


async def create_temporary(connection: AsyncConnection, schema: str) -> None:
    """Make the tables to fill; they end with the connection."""
    for table in (*REBUILT, *_ON_THE_WAY):
        await connection.execute(text(f"CREATE TEMPORARY TABLE {table} (LIKE {schema}.{table} INCLUDING ALL)"))
    for statement in statements(_TOLD_BY_US):
        await connection.execute(text(statement))
    # Nobody analyzes them: PostgreSQL would read all of a table for the few rows of a batch.
    await connection.execute(text("SET enable_seqscan = off"))


# Campaigns that are new are listed in the order in which they are noted: an empty change for each, the newest first.
_FIRST_SEEN = """
    INSERT INTO {schema}.tally_changes (clock, team, source, campaign, what, detail, amount)
    SELECT clock, team, source, coalesce(campaign, ''), 'started', '', 0 FROM clocks
    GROUP BY 1, 2, 3, 4 ORDER BY max(started_at) DESC, 1, 2, 3, 4
"""
# Topics do not tell of an answer that was heard too late where no step had announced the breach; what was counted
# before does. A counter that falls has begun anew to Prometheus, and everything in it has happened again.
_COUNTED_BEFORE = f"""
    CREATE TEMPORARY TABLE counted_before ON COMMIT DROP AS
    SELECT t.clock, t.team, t.source, {LABEL} AS campaign, sum(t.amount) AS amount FROM (
        SELECT clock, team, source, campaign, amount FROM {{schema}}.tallies WHERE what = 'withdrawn'
        UNION ALL SELECT clock, team, source, campaign, amount FROM {{schema}}.tally_changes WHERE what = 'withdrawn'
    ) t LEFT JOIN {{schema}}.campaigns k USING (source, campaign) GROUP BY 1, 2, 3, 4
"""
_WITHDRAWN = f"""
    INSERT INTO {{schema}}.tally_changes (clock, team, source, campaign, what, detail, amount)
    SELECT clock, team, source, campaign, 'withdrawn', '', greatest(told.amount, counted_before.amount)
    FROM (
        SELECT t.clock, t.team, t.source, {LABEL} AS campaign, count(*) AS amount
        FROM (
            SELECT clock, team, source, coalesce(campaign, '') AS campaign
            FROM withdrawn JOIN clocks USING (assignment_id, clock)
        ) t LEFT JOIN {{schema}}.campaigns k USING (source, campaign) GROUP BY 1, 2, 3, 4
    ) AS told FULL JOIN counted_before USING (clock, team, source, campaign)
    -- Nobody asks how often it was of campaigns that are quiet.
    WHERE campaign IS NOT NULL
"""
# To the next count all of it is news: campaigns that are quiet would come back, more than there is room for.
_AS_BEFORE = f"""
    UPDATE {{schema}}.tally_changes t SET campaign = {LABEL} FROM {{schema}}.campaigns k
    WHERE k.source = t.source AND k.campaign = t.campaign
"""
_CONSUMED = """
    INSERT INTO {schema}.consumed (consumer, topic, partition, next_offset)
    SELECT :consumer, topic, partition, next_offset
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[]), CAST(:offsets AS bigint[]))
        AS given (topic, partition, next_offset)
"""
# The inbox forgets what is older by itself.
_INBOX = "INSERT INTO {schema}.inbox SELECT * FROM inbox WHERE event_id >= :oldest"


async def lock(connection: AsyncConnection, schema: str) -> None:
    """Keep everybody from the tables, readers too, until the transaction ends."""
    tables = ", ".join(f"{schema}.{table}" for table in _EMPTIED)
    await connection.execute(text(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))


async def take_over(
    connection: AsyncConnection, schema: str, consumer: str, reached: Mapping[tuple[str, int], int], oldest: UUID
) -> None:
    """Put what was filled in the place of the service's tables, and note how far it reaches.

    `oldest` is the first event that the inbox is to remember.
    """
    await connection.execute(text(_COUNTED_BEFORE.format(schema=schema)))
    await connection.execute(text("TRUNCATE " + ", ".join(f"{schema}.{table}" for table in _EMPTIED)))
    for table in REBUILT:
        # Triggers count as they go. To them too temporary tables come first, which say the same.
        await connection.execute(text(f"INSERT INTO {schema}.{table} SELECT * FROM {table}"))
        if table == "calendars":
            await connection.execute(text(_FIRST_SEEN.format(schema=schema)))
    await connection.execute(text(_WITHDRAWN.format(schema=schema)))
    await connection.execute(text(_AS_BEFORE.format(schema=schema)))
    await connection.execute(text(_INBOX.format(schema=schema)), {"oldest": oldest})
    columns = {
        "topics": [topic for topic, _ in reached],
        "partitions": [partition for _, partition in reached],
        "offsets": list(reached.values()),
    }
    await connection.execute(text(_CONSUMED.format(schema=schema)), {"consumer": consumer, **columns})
