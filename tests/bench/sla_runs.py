"""Timers that fall due among many that are open: how late each step is committed, by the database's own times."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import psutil
from tests.assignments import assignment_made
from tests.bench.stage import PREFIX, Stage
from tests.topics import message_on

from relance import tracing
from relance.calendars import Calendar
from relance.clock import utc_now
from relance.events import Envelope, EscalationStep, Topic
from relance.ids import EventId, new_id
from relance.kafka.publisher import KafkaPublisher, Message
from relance_local.conditions import wait_until
from relance_local.services import SLA_MONITOR, Configuration, Parts, Services

PER_SECOND = 500
OURS, SWEEP = "relance", "sweep once a minute"
_LIMIT = timedelta(seconds=180)
_LEAD_IN = 3
"""Seconds until the first falls due: the longest that a look takes."""

# A step each: how many clocks, when the first is due, and how long after it the next one.
_OPEN = """
    INSERT INTO sla.clocks (
        assignment_id, clock, lead_id, ordinal, rep, team, source, channel, received_at, started_at, response_window,
        deadline, steps, next_due_at, traceparent
    )
    SELECT gen_random_uuid(), 'response', gen_random_uuid(), 1, 'rep-' || n % 50, 'team-' || n % 10, 'website', 'form',
        now(), now(), interval '15 minutes', due, jsonb_build_array(jsonb_build_object(
            'name', 'breach', 'action', 'breach', 'due_at', to_char(due, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        )), due, ''
    FROM (
        SELECT n, clock_timestamp() + $2::interval + n * $3::interval AS due FROM generate_series(0, $1::integer - 1) n
    ) AS given
"""
_LATENESS = """
    SELECT count(*) AS fired,
        percentile_cont(array[0.5, 0.99, 1]) WITHIN GROUP (
            ORDER BY extract(epoch FROM pg_xact_commit_timestamp(xmin) - due_at)::float8
        ) AS late
    FROM sla.steps
"""
_SWEEP = """
    WITH due AS (
        SELECT assignment_id, clock, lead_id, next_due_at FROM sla.clocks WHERE next_due_at <= now() FOR UPDATE
    ), moved AS (
        UPDATE sla.clocks c SET fired = 1, next_due_at = NULL
        FROM due WHERE c.assignment_id = due.assignment_id AND c.clock = due.clock
    ), told AS (
        INSERT INTO sla.outbox (aggregate_type, aggregate_id, type, payload, headers, occurred_at)
        SELECT 'lead', lead_id::text, 'relance.sla.step_fired.v1', '{}', '{}', now() FROM due
    )
    INSERT INTO sla.steps (assignment_id, clock, step, action, due_at, fired_at)
    SELECT assignment_id, clock, 'breach', 'breach', next_due_at, now() FROM due
"""
_STARTED = """
    WITH commits AS (SELECT pg_xact_commit_timestamp(xmin) AS at FROM sla.clocks),
        measured AS (SELECT at, min(at) OVER () AS first FROM commits)
    SELECT (count(*) FILTER (WHERE at > first) / extract(epoch FROM max(at) - min(at)))::float8 FROM measured
"""
_MINUTE = 60.0


@dataclass(frozen=True)
class Run:
    """One case. Lateness in seconds, memory in MiB: of the process after the timers were open, and at most after."""

    contender: str
    open: int
    fired: int
    p50: float
    p99: float
    longest: float
    memory_before: float | None
    memory: float | None
    load: float
    """Processes that wanted to run, by the system's one-minute average."""


async def timers(stage: Stage, size: int, seconds: int, tell: Callable[[str], None]) -> Run:
    """Our service, with `size` timers open that are due in hours, while `PER_SECOND` fall due."""
    tell(f"{OURS}, {size:,} open")
    async with _opened(stage, size) as (database, connection), _monitor(stage, database) as service:
        before = _memory(service)
        count = PER_SECOND * seconds
        await _fall_due(connection, count)
        longest = before

        async def all_fired() -> bool:
            nonlocal longest
            longest = max(longest, _memory(service))
            return bool(await connection.fetchval("SELECT count(*) FROM sla.steps") >= count)

        await asyncio.sleep(_LEAD_IN + seconds)
        await wait_until(all_fired, what="every step to fire", limit=_LIMIT)
        return await _found(connection, OURS, size, before, longest)


async def sweeps(stage: Stage, size: int, seconds: int, tell: Callable[[str], None]) -> Run:
    """One statement for all that is due, once a minute; nothing is as quick as that, and nothing as late."""
    tell(f"{SWEEP}, {size:,} open")
    async with _opened(stage, size) as (_, connection):
        count = PER_SECOND * seconds
        await _fall_due(connection, count)
        while await connection.fetchval("SELECT count(*) FROM sla.steps") < count:
            await asyncio.sleep(_MINUTE)
            await connection.execute(_SWEEP)
        return await _found(connection, SWEEP, size, None, None)


async def started_per_second(stage: Stage, count: int, tell: Callable[[str], None]) -> float:
    """How many clocks go from the topic to the database; each message has a calendar of working hours."""
    tell(f"{count:,} assignments from the topic")
    publisher = KafkaPublisher(stage.broker.bootstrap_servers, client_id="bench")
    try:
        for _ in range(0, count, 1000):
            _, failure = await publisher.publish([_message() for _ in range(1000)])
            if failure:
                raise failure
    finally:
        await publisher.close()
    async with _opened(stage, 0) as (database, connection), _monitor(stage, database):

        async def all_started() -> bool:
            return bool(await connection.fetchval("SELECT count(*) FROM sla.clocks") >= count)

        await wait_until(all_started, what="every clock to start", limit=_LIMIT)
        return float(await connection.fetchval(_STARTED))


@asynccontextmanager
async def _opened(stage: Stage, size: int) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    async with stage.fresh_database() as database:
        connection = await stage.server.connect(database)
        try:
            hours = timedelta(hours=4)
            await connection.execute(_OPEN, size, hours, timedelta(milliseconds=1), timeout=_LIMIT.total_seconds())
            await connection.execute("VACUUM ANALYZE sla.clocks", timeout=_LIMIT.total_seconds())
            await connection.execute("CHECKPOINT", timeout=_LIMIT.total_seconds())
            yield database, connection
        finally:
            await connection.close()


@asynccontextmanager
async def _monitor(stage: Stage, database: str) -> AsyncIterator[psutil.Process]:
    folder = stage.folder / database
    folder.mkdir()
    environment: Mapping[str, str] = {"SHUTDOWN_DEADLINE": "PT2S"}
    unused = folder / "unused"
    services = Services(
        Parts(folder, stage.server, stage.broker, database, PREFIX),
        Configuration(unused, unused, environment=environment),
    )
    try:
        await services.start([SLA_MONITOR])
        yield psutil.Process(services.running[SLA_MONITOR].pid)
    finally:
        await services.stop()


async def _fall_due(connection: asyncpg.Connection, count: int) -> None:
    await connection.execute(_OPEN, count, timedelta(seconds=_LEAD_IN), timedelta(seconds=1) / PER_SECOND)


async def _found(
    connection: asyncpg.Connection, contender: str, size: int, before: float | None, longest: float | None
) -> Run:
    row = await connection.fetchrow(_LATENESS)
    p50, p99, latest = row["late"]
    return Run(contender, size, row["fired"], p50, p99, latest, before, longest, os.getloadavg()[0])


def _memory(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


_OFFICE = Calendar.model_validate(
    {
        "id": "office",
        "zone": "Europe/Berlin",
        "hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "09:00-18:00"),
        "holidays": {"country": "DE"},
    }
)
_POLICY = tuple(
    EscalationStep(name=name, action=action, window_fraction=fraction, delay=timedelta())
    for name, action, fraction in (("remind", "remind_rep", 0.5), ("risk", "at_risk", 0.8), ("breach", "breach", 1.0))
)


def _message() -> Message:
    made = assignment_made(
        utc_now(), campaign="spring", response_window=timedelta(days=1), calendar=_OFFICE, escalation=_POLICY
    )
    lead = str(made.lead_id)
    event = Envelope(EventId(new_id()), "relance/router", lead, utc_now(), tracing.child_of(None), made)
    return message_on(PREFIX + Topic.ASSIGNMENTS, event.to_message())
