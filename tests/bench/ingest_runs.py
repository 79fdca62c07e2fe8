"""The runs: rates beside each other, latency at half of ours, and memory over many leads."""

import asyncio
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil
from tests.bench.ingest_client import Found
from tests.bench.ingest_contenders import CONNECTIONS, PGBENCH_CLIENTS, Endpoint, ingest, inserts_per_second, naive
from tests.bench.stage import Stage

OURS, UNSTORED, NAIVE = "relance", "relance, storing nothing", "naive endpoint"
INSERTS = f"pgbench, {PGBENCH_CLIENTS} clients"
CONTENDERS = (OURS, UNSTORED, NAIVE, INSERTS)
_SAMPLE_EVERY = 2.0


@dataclass(frozen=True)
class Plan:
    """How much is measured; times in seconds."""

    repetitions: int
    warm_up: float
    window: float
    soak: int
    """Leads of the memory run."""


@dataclass(frozen=True)
class Rate:
    """One contender's run. Processor time is in milliseconds per lead; None where nobody looked."""

    contender: str
    per_second: float
    endpoint: float | None = None
    postgresql: float | None = None
    kafka: float | None = None
    client: float | None = None
    busy: float | None = None
    """The part of one core that the endpoint used."""


@dataclass(frozen=True)
class Latency:
    """How long our answers took, in seconds."""

    load: str
    per_second: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Soak:
    """Memory, as `(leads accepted, MiB)`."""

    leads: int
    seconds: float
    memory: Sequence[tuple[int, float]]


ONE, HALF = "one at a time", "half of the most"


async def repetition(stage: Stage, plan: Plan) -> tuple[list[Rate], list[Latency]]:
    """Every contender once."""
    rates: list[Rate] = []
    async with ingest(stage, storing=True) as endpoint:
        single = await endpoint.under(connections=1, seconds=plan.window / 2, warm_up=plan.warm_up)
        most = await _rate(OURS, endpoint, plan)
        rates.append(most)
        await endpoint.published()
        half = await endpoint.under(
            connections=CONNECTIONS, seconds=plan.window, warm_up=plan.warm_up, rate=most.per_second / 2
        )
    async with ingest(stage, storing=False) as endpoint:
        rates.append(await _rate(UNSTORED, endpoint, plan))
    async with naive(stage) as endpoint:
        rates.append(await _rate(NAIVE, endpoint, plan))
    rates.append(Rate(INSERTS, await inserts_per_second(stage, plan.window)))
    return rates, [_latency(ONE, single), _latency(HALF, half)]


async def soak(stage: Stage, leads: int, advance: Callable[[int], None]) -> Soak:
    """Send so many leads as fast as they are taken, and watch the process's memory."""
    async with ingest(stage, storing=True) as endpoint:
        memory: list[tuple[int, float]] = []
        async with _watched(endpoint, memory, advance):
            found = await endpoint.under(connections=CONNECTIONS, seconds=None, leads=leads)
    return Soak(found.answered, found.seconds, memory)


def median_ratio(rates: Sequence[Rate], contender: str) -> tuple[float, float, float]:
    """Our rate in the contender's of the same repetition: median, least and most."""
    ours, theirs = ([rate.per_second for rate in rates if rate.contender == name] for name in (OURS, contender))
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


async def _rate(contender: str, endpoint: Endpoint, plan: Plan) -> Rate:
    found = await endpoint.under(connections=CONNECTIONS, seconds=plan.window, warm_up=plan.warm_up)
    per_lead = {name: 1000 * seconds / found.answered for name, seconds in found.processor.items()}
    return Rate(
        contender,
        found.answered / found.seconds,
        **per_lead,
        client=1000 * found.client / found.answered,
        busy=found.processor["endpoint"] / found.seconds,
    )


def _latency(load: str, found: Found) -> Latency:
    return Latency(load, found.answered / found.seconds, found.p50, found.p99)


@asynccontextmanager
async def _watched(
    endpoint: Endpoint, memory: list[tuple[int, float]], advance: Callable[[int], None]
) -> AsyncIterator[None]:
    process = psutil.Process(endpoint.process.pid)
    connection = await endpoint.stage.server.connect(endpoint.database)

    async def watch() -> None:
        while True:
            leads = await connection.fetchval("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'leads'")
            memory.append((leads, process.memory_info().rss / 2**20))
            advance(leads)
            await asyncio.sleep(_SAMPLE_EVERY)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await connection.close()
