"""What benchmarks run on: PostgreSQL that keeps commit times, Kafka with leads in it, and a fresh database per run."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import Configuration, Parts, Services
from relance_local.stack import Tell, running_parts

PREFIX = "bench."
_TEMPLATE = "template_bench"


@dataclass(frozen=True)
class Stage:
    """The parts that all contenders share."""

    folder: Path
    server: DatabaseServer
    broker: Broker

    @asynccontextmanager
    async def fresh_database(self) -> AsyncIterator[str]:
        """The name of a database with the services' tables and no row; gone when the block ends."""
        name = f"run_{uuid.uuid4().hex}"
        await self.server.create_database(name, template=_TEMPLATE)
        try:
            yield name
        finally:
            await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def keep_commit_times(self) -> None:
        """Have PostgreSQL keep when each transaction was committed: what is measured, and the order of decisions."""
        await self._execute("ALTER SYSTEM SET track_commit_timestamp = on")
        await self.server.stop()
        await self.server.start()

    async def make_template(self) -> None:
        """Prepare the services' tables and topics, once."""
        await self.server.create_relance_database(_TEMPLATE)
        nothing = Configuration(self.folder / "unused", self.folder / "unused")
        await Services(Parts(self.folder, self.server, self.broker, _TEMPLATE, PREFIX), nothing).migrate()

    async def _execute(self, statement: str) -> None:
        connection = await self.server.connect("postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def running_stage(folder: Path, tell: Tell) -> AsyncIterator[Stage]:
    """Everything started; stopped when the block ends."""
    async with running_parts(folder, tell) as (server, broker):
        stage = Stage(folder, server, broker)
        tell("Preparing the database and the topics")
        await stage.keep_commit_times()
        await stage.make_template()
        yield stage
