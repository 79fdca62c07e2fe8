"""The whole system on this machine: PostgreSQL, Kafka and the three services, started and stopped in order."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from relance_local.broker import Broker, fetch_kafka
from relance_local.database_server import DatabaseServer
from relance_local.services import Configuration, Parts, Services

ROOT = Path(__file__).parents[3]
CACHE = ROOT / ".local" / "cache"
CONFIGURATION = ROOT / "deploy" / "config"

Tell = Callable[[str], None]
"""Told, in a few words, what is being done."""


@asynccontextmanager
async def running_parts(folder: Path, tell: Tell) -> AsyncIterator[tuple[DatabaseServer, Broker]]:
    """PostgreSQL and Kafka with their data below `folder`; stopped when the block ends."""
    tell("Fetching Apache Kafka, once")
    jars = await asyncio.to_thread(fetch_kafka, CACHE)
    server, broker = DatabaseServer(folder / "postgres"), Broker(folder / "kafka", jars)
    try:
        tell("Starting PostgreSQL and Kafka")
        # Both are waited for even when one fails, so that what has started is known and stopped.
        outcomes = await asyncio.gather(server.start(), broker.start(), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        yield server, broker
    finally:
        await broker.stop()
        await server.stop()


@asynccontextmanager
async def running_services(
    folder: Path,
    parts: tuple[DatabaseServer, Broker],
    configuration: Configuration,
    tell: Tell,
    ports: dict[str, int] | None = None,
) -> AsyncIterator[Services]:
    """The three services, ready; stopped when the block ends."""
    server, broker = parts
    tell("Preparing the database and the topics")
    await server.create_relance_database("relance")
    services = Services(Parts(folder, server, broker), configuration, ports)
    await services.migrate()
    try:
        tell("Starting ingest, router and sla-monitor")
        await services.start()
        yield services
    finally:
        await services.stop()
