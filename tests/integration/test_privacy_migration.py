"""Promises of bringing leads that are there to the tables of this release."""

import uuid
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic_core import MultiHostUrl
from sqlalchemy import Connection, text

import relance_ingest
from relance import migrations
from relance.database import Database
from relance_ingest.acceptance.naming import name_all
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer

FOLDER = Path(relance_ingest.__file__).parent / "migrations"
BEFORE = text("""
    INSERT INTO leads (id, source, channel, idempotency_key, fingerprint, received_at, data)
    SELECT gen_random_uuid(), 'website', 'form', key, '', now(), CAST(data AS jsonb)
    FROM (VALUES
        ('a', '{"identity_key": "mail"}'),
        ('b', '{"identity_key": "old", "person_keys": ["mail", "phone"]}'),
        ('c', '{"identity_key": "mail", "person_keys": ["mail"]}'),
        ('d', '{"identity_key": "of nobody", "contact": {"email": "Maria@example.com", "phone": "+4930901820"}}')
    ) AS given (key, data)
""")
KEYS = text("SELECT person_keys FROM leads ORDER BY idempotency_key")


def upgrade_to_0004(connection: Connection) -> None:
    """As the release before had it."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "0004")


async def test_leads_are_found_by_all_that_their_data_says(real_parts: tuple[DatabaseServer, Broker]) -> None:
    """The key of their events first."""
    server, _ = real_parts
    name = f"test_{uuid.uuid4().hex}"
    await server.create_relance_database(name)
    url = MultiHostUrl(server.url("ingest", name))
    database = Database(url, schema="ingest", pool_size=2, timeout=timedelta(seconds=10))
    try:
        async with database.transaction() as connection:
            await connection.run_sync(upgrade_to_0004)
            await connection.execute(BEFORE)
        await migrations.upgrade(database, FOLDER)
        await name_all(database)
        async with database.transaction() as connection:
            first, second, third, fourth = (await connection.execute(KEYS)).scalars()
    finally:
        await database.close()
    assert (first, third) == (["mail"], ["mail"])
    assert (second[0], sorted(second)) == ("old", ["mail", "old", "phone"])
    known = Pseudonyms().person_keys("Maria@example.com", "+4930901820")
    assert (fourth[0], sorted(fourth[1:])) == ("of nobody", sorted(known))
