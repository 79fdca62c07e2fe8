"""What tests share: the real parts, started once, and a database and topics for each test that wants them."""

import os
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests.system import System, running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST, Configuration, Parts, Services
from relance_local.stack import running_parts

# Machines here are shared and noisy: no test is judged by how long it took. The same examples every time, so that what
# breaks nothing does not fail for bad luck; `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile("relance", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "relance"))

_TEMPLATE = "template_relance"


@pytest.fixture(scope="session")
async def real_parts() -> AsyncIterator[tuple[DatabaseServer, Broker]]:
    """PostgreSQL and Kafka, and in PostgreSQL a template with every service's tables."""
    with tempfile.TemporaryDirectory(prefix="relance-tests-", ignore_cleanup_errors=True) as folder:
        path = Path(folder)
        async with running_parts(path, print) as (server, broker):
            await _leave_unsynced(server)
            await server.create_relance_database(_TEMPLATE)
            configuration = Configuration(path / "unused", path / "unused")
            await Services(Parts(path, server, broker, _TEMPLATE, "template."), configuration).migrate()
            yield server, broker
            # Nobody needs what they hold: in order they take many seconds to end.
            broker.process.kill()
            await server.kill()


async def _leave_unsynced(server: DatabaseServer) -> None:
    """What the machine would lose in a crash of its own, no test asks for; each database has 600 files to sync."""
    connection = await server.connect("postgres")
    try:
        await connection.execute("ALTER SYSTEM SET fsync = off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


@pytest.fixture
async def database(real_parts: tuple[DatabaseServer, Broker]) -> str:
    """The name of a database of the test's own, with every table and no row."""
    return await _new_database(real_parts[0])


@pytest.fixture(scope="module")
async def database_of_module(real_parts: tuple[DatabaseServer, Broker]) -> str:
    """The same for a module whose tests share services."""
    return await _new_database(real_parts[0])


async def _new_database(server: DatabaseServer) -> str:
    name = f"test_{uuid.uuid4().hex}"
    await server.create_database(name, template=_TEMPLATE)
    return name


@pytest.fixture
async def system(real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path) -> AsyncIterator[System]:
    """The three services, ready, with a database and topics of the test's own."""
    async with running_system(real_parts, database, tmp_path) as running:
        yield running


@pytest.fixture
async def ingest_only(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Ingest alone, which is quicker to start."""
    async with running_system(real_parts, database, tmp_path, services=[INGEST]) as running:
        yield running
