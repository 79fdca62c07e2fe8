"""Databases as a release before left them, and the way from there."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic_core import MultiHostUrl
from sqlalchemy import Connection

import relance_ingest
import relance_router
import relance_sla_monitor
from relance import migrations
from relance.database import Database
from relance.personal_data import PersonalData
from relance_local.database_server import DatabaseServer

_MIGRATIONS = {
    schema: Path(*package.__path__) / "migrations"
    for schema, package in (("ingest", relance_ingest), ("router", relance_router), ("sla", relance_sla_monitor))
}


@asynccontextmanager
async def left_at(
    server: DatabaseServer, schema: str, revision: str, personal_data: PersonalData | None = None
) -> AsyncIterator[Database]:
    """A database in which a service's schema was brought to this revision, and no further."""

    def begin(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS[schema]))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    name = f"test_{uuid.uuid4().hex}"
    await server.create_relance_database(name)
    url = MultiHostUrl(server.url(schema, name))
    patience = timedelta(seconds=10)
    database = Database(url, schema=schema, pool_size=2, timeout=patience, personal_data=personal_data)
    try:
        async with database.transaction() as connection:
            await connection.run_sync(begin)
        yield database
    finally:
        await database.close()


async def upgrade(database: Database) -> None:
    """To this release."""
    await migrations.upgrade(database, _MIGRATIONS[database.schema])
