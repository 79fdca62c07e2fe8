"""Promises of migrating: each revision by itself, one migrator at a time, beside replicas at work."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic_core import MultiHostUrl
from sqlalchemy import text

from relance.database import STANDS_STILL, Database
from relance.migrations import MigrationFailed, upgrade
from relance_local.broker import Broker
from relance_local.conditions import wait_until
from relance_local.database_server import DatabaseServer

ENVIRONMENT = "from relance.migrations import run_environment\n\nrun_environment()\n"
REVISION = """
from alembic import op

revision = "{revision}"
down_revision = {before!r}


def upgrade() -> None:
    op.execute("{statement}")
"""
STATEMENTS = (
    "CREATE TABLE first (n integer)",
    "CREATE TABLE second (n integer)",
    "ALTER TABLE first ADD m integer",
    "ALTER TABLE second ADD m integer",
)
WAITS_FOR = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = '{}' AND database = {}"
THIS_DATABASE = "(SELECT oid FROM pg_database WHERE datname = current_database())"


@pytest.fixture
async def database(real_parts: tuple[DatabaseServer, Broker]) -> AsyncIterator[Database]:
    """A database without tables."""
    server, _ = real_parts
    name = f"test_{uuid.uuid4().hex}"
    await server.create_relance_database(name)
    url = MultiHostUrl(server.url("router", name))
    made = Database(url, schema="router", pool_size=5, timeout=timedelta(seconds=20))
    yield made
    await made.close()


def revisions(folder: Path, count: int) -> Path:
    """The first of the revisions."""
    (folder / "versions").mkdir(exist_ok=True)
    (folder / "env.py").write_text(ENVIRONMENT)
    for number, statement in enumerate(STATEMENTS[:count], 1):
        before = f"{number - 1:04}" if number > 1 else None
        revision = REVISION.format(revision=f"{number:04}", before=before, statement=statement)
        (folder / "versions" / f"{number:04}.py").write_text(revision)
    return folder


async def execute(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement))


async def version(database: Database) -> str:
    async with database.transaction() as connection:
        found: str = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
        return found


async def somebody_waits(database: Database, for_what: str) -> None:
    """Until a session waits for a lock of this kind."""

    async def waits() -> bool:
        async with database.transaction() as connection:
            waiting = await connection.execute(text(WAITS_FOR.format(for_what, THIS_DATABASE)))
            return bool(waiting.scalar_one())

    await wait_until(waits, what=f"somebody to wait for a lock: {for_what}")


async def test_a_migration_and_a_replica_at_work_wait_for_each_other_once(database: Database, tmp_path: Path) -> None:
    """The replica holds what a revision wants, and goes on to what the revision before has changed."""
    await upgrade(database, revisions(tmp_path, 2))
    async with database.transaction() as replica:
        await replica.execute(text("INSERT INTO second VALUES (1)"))
        migrating = asyncio.create_task(upgrade(database, revisions(tmp_path, 4)))
        await somebody_waits(database, "relation")
        assert await version(database) == "0003"
        await replica.execute(text("INSERT INTO first VALUES (1)"))
    await migrating
    assert await version(database) == "0004"


async def test_migrators_take_turns_from_the_first_revision_to_the_last(database: Database, tmp_path: Path) -> None:
    """Who comes while another is between two revisions waits for its end, and finds nothing to do."""
    await upgrade(database, revisions(tmp_path, 2))
    async with database.transaction() as replica:
        await replica.execute(text("INSERT INTO second VALUES (1)"))
        folder = revisions(tmp_path, 4)
        one = asyncio.create_task(upgrade(database, folder))
        await somebody_waits(database, "relation")
        other = asyncio.create_task(upgrade(database, folder))
        await somebody_waits(database, "advisory")
    await asyncio.gather(one, other)
    assert await version(database) == "0004"


async def test_a_revision_that_fails_is_named_and_those_before_it_stay(database: Database, tmp_path: Path) -> None:
    """Once it is mended the next migrator goes on from there."""
    folder = revisions(tmp_path, 4)
    await execute(database, "CREATE TABLE second (n integer)")
    with pytest.raises(MigrationFailed, match=r"Revision 0002 of schema router failed.*those up to 0001 are applied"):
        await upgrade(database, folder)
    assert await version(database) == "0001"
    await execute(database, "DROP TABLE second")
    await upgrade(database, folder)
    assert await version(database) == "0004"


async def test_a_migrator_that_stands_still_keeps_no_other_waiting(database: Database, tmp_path: Path) -> None:
    """Neither between two revisions nor within one, however long a statement may take."""
    folder = revisions(tmp_path, 1)
    limits = "SELECT setting::integer AS n FROM pg_settings WHERE name LIKE 'idle%session_timeout'"
    (folder / "versions" / "0001.py").write_text(
        REVISION.format(revision="0001", before=None, statement=f"CREATE TABLE first AS {limits}")
    )
    await upgrade(database, folder)
    async with database.transaction() as connection:
        found = (await connection.execute(text("SELECT n FROM first"))).scalars().all()
    assert found == [STANDS_STILL / timedelta(milliseconds=1)] * 2
