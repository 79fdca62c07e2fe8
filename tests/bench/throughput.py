"""How many leads per second go from the topic to a committed assignment, by the database's commit times."""

import asyncio
import os
import statistics
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import psutil
from tests.bench.contenders import Contender, naive_consumers, routers
from tests.bench.routing_files import equal_reps
from tests.bench.sink import DELIVERING, HELD_OFF, Sink, running_sink
from tests.bench.stage import Stage

from relance_local.conditions import wait_until

OURS, NAIVE, OURS_DELIVERING = "relance", "naive", "relance, delivering"
_TABLES = {OURS: "router.assignments", NAIVE: "naive.assignments", OURS_DELIVERING: "router.assignments"}
_START_LIMIT = timedelta(seconds=90)
_LEAST_COMMITS = 4
"""A batch that takes longer than the window is waited for."""

# The first commit starts the clock, so its leads do not count.
_COMMITTED = """
    WITH commits AS (
        SELECT pg_xact_commit_timestamp(xmin) AS at FROM {table}
    ), measured AS (
        SELECT at, min(at) OVER () AS first FROM commits WHERE at BETWEEN $1 AND $2
    )
    SELECT count(*) FILTER (WHERE at > first) AS leads,
        extract(epoch FROM max(at) - min(at))::float8 AS seconds,
        count(DISTINCT at) AS commits
    FROM measured
"""
_UNEVEN = """
    SELECT max(leads) - min(leads) FROM (
        SELECT count(a.rep) AS leads FROM unnest($1::text[]) AS given (rep) LEFT JOIN {table} a USING (rep)
        GROUP BY given.rep
    )
"""


@dataclass(frozen=True)
class Case:
    """What is measured, several times."""

    contender: str
    reps: int
    replicas: int


@dataclass(frozen=True)
class Run:
    """One measurement of a case. CPU is in milliseconds per lead."""

    case: Case
    leads: int
    seconds: float
    per_second: float
    cpu: float
    database_cpu: float
    uneven: int
    """Leads of the rep who got most, less those of the rep who got fewest."""
    delivered_per_second: float
    others: float
    """The part of the machine's processor time that processes not of this benchmark took: a figure beside much of it
    says little."""


@dataclass(frozen=True)
class Result:
    """A case's median run, by rate, and the rates around it."""

    median: Run
    slowest: float
    fastest: float


@dataclass(frozen=True)
class _Moment:
    at: datetime
    cpu: float
    database_cpu: Mapping[int, float]
    delivered: int
    busy: float
    """Processor seconds of the whole machine."""
    own: Mapping[int, float]
    """Processor seconds of this benchmark, by process."""


async def measure(stage: Stage, case: Case, seconds: float) -> Run:
    """Run a case on a fresh database and look for `seconds`, from when every replica has committed leads."""
    async with stage.fresh_database() as database, AsyncExitStack() as closing:
        connection = await stage.server.connect(database)
        closing.push_async_callback(connection.close)
        sink = await closing.enter_async_context(running_sink(holding=case.contender != OURS_DELIVERING))
        async with _contending(stage, case, database, sink) as contender:
            await wait_until(contender.all_work, what=f"{case} to route", limit=_START_LIMIT)
            since = await _moment(stage, contender, connection, sink)
            await asyncio.sleep(seconds)
            await _enough(connection, case, since)
            until = await _moment(stage, contender, connection, sink)
        return await _run(connection, case, since, until)


def results(runs: Sequence[Run]) -> dict[Case, Result]:
    """Each case's median and spread."""
    found: dict[Case, Result] = {}
    for case in dict.fromkeys(run.case for run in runs):
        own = sorted((run for run in runs if run.case == case), key=lambda run: run.per_second)
        middle = statistics.median_low([run.per_second for run in own])
        median = next(run for run in own if run.per_second == middle)
        found[case] = Result(median, own[0].per_second, own[-1].per_second)
    return found


@asynccontextmanager
async def _contending(stage: Stage, case: Case, database: str, sink: Sink) -> AsyncIterator[Contender]:
    reps = equal_reps(case.reps)
    if case.contender == NAIVE:
        async with naive_consumers(stage, database, reps, replicas=case.replicas) as naive:
            yield naive
    else:
        settings = DELIVERING if case.contender == OURS_DELIVERING else HELD_OFF
        async with routers(stage, database, reps, sink, settings, replicas=case.replicas) as ours:
            yield ours


async def _enough(connection: asyncpg.Connection, case: Case, since: _Moment) -> None:
    query = _COMMITTED.format(table=_TABLES[case.contender])

    async def committed() -> bool:
        found = await connection.fetchrow(query, since.at, datetime.max.replace(tzinfo=UTC))
        return bool(found["commits"] >= _LEAST_COMMITS)

    await wait_until(committed, what=f"{case} to commit {_LEAST_COMMITS} times", limit=_START_LIMIT)


async def _moment(stage: Stage, contender: Contender, connection: asyncpg.Connection, sink: Sink) -> _Moment:
    itself = psutil.Process()
    sessions = psutil.Process(stage.server.process.pid).children()
    return _Moment(
        at=await connection.fetchval("SELECT clock_timestamp()"),
        cpu=sum(_cpu(psutil.Process(process.pid)) for process in contender.processes),
        database_cpu={session.pid: _cpu(session) for session in sessions},
        delivered=sink.received,
        busy=_busy(),
        own={process.pid: _cpu(process) for process in [itself, *itself.children(recursive=True)]},
    )


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _spent(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    return sum(max(0.0, seconds - before.get(process, 0.0)) for process, seconds in after.items())


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # a session that has just ended
    return times.user + times.system


async def _run(connection: asyncpg.Connection, case: Case, since: _Moment, until: _Moment) -> Run:
    table = _TABLES[case.contender]
    found = await connection.fetchrow(_COMMITTED.format(table=table), since.at, until.at)
    leads, seconds = found["leads"], found["seconds"]
    looked = (until.at - since.at).total_seconds()
    others = until.busy - since.busy - _spent(since.own, until.own)
    return Run(
        case=case,
        leads=leads,
        seconds=seconds,
        per_second=leads / seconds,
        cpu=1000 * (until.cpu - since.cpu) / leads,
        database_cpu=1000 * _spent(since.database_cpu, until.database_cpu) / leads,
        uneven=await connection.fetchval(_UNEVEN.format(table=table), [rep.id for rep in equal_reps(case.reps)]),
        delivered_per_second=(until.delivered - since.delivered) / looked,
        others=max(0.0, others) / looked / (os.cpu_count() or 1),
    )
