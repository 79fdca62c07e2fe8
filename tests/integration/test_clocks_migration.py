"""Promises of bringing clocks that run to the tables of this release."""

import uuid
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic_core import MultiHostUrl
from sqlalchemy import Connection, text

import relance_sla_monitor
from relance import migrations
from relance.database import Database
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer

FOLDER = Path(relance_sla_monitor.__file__).parent / "migrations"
BEFORE = text("""
    INSERT INTO clocks (assignment_id, clock, lead_id, ordinal, rep, team, source, channel, received_at, started_at,
        response_window, deadline, steps, traceparent)
    SELECT gen_random_uuid(), 'response', gen_random_uuid(), 1, rep, 'sales', 'website', 'form', now(), now(),
        interval '1 hour', now() + interval '1 hour', CAST(steps AS jsonb), ''
    FROM (VALUES
        ('anna', '[{"name": "b", "action": "at_risk", "due_at": "2026-03-10T12:30:00Z"},
            {"name": "a", "action": "remind_rep", "due_at": "2026-03-10T12:05:00Z"},
            {"name": "c", "action": "at_risk", "due_at": "2026-03-10T12:10:00Z"}]'),
        ('eva', '[{"name": "a", "action": "remind_rep", "due_at": "2026-03-10T12:05:00Z"}]')
    ) AS given (rep, steps)
""")
MOVED = text("""
    UPDATE clocks SET steps = '[{"name": "c", "action": "at_risk", "due_at": "2026-03-10T13:00:00Z"}]'
""")


def upgrade_to_0008(connection: Connection) -> None:
    """As the release before had it."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "0008")


async def test_clocks_that_run_know_from_when_they_are_at_risk(real_parts: tuple[DatabaseServer, Broker]) -> None:
    """The first step that says so, whatever their order; none where none does. No figure changes by it.

    So do those that a replica of the release before starts or moves after it.
    """
    server, _ = real_parts
    name = f"test_{uuid.uuid4().hex}"
    await server.create_relance_database(name)
    database = Database(MultiHostUrl(server.url("sla", name)), schema="sla", pool_size=2, timeout=timedelta(seconds=10))
    try:
        async with database.transaction() as connection:
            await connection.run_sync(upgrade_to_0008)
            await connection.execute(BEFORE)
            await connection.execute(text("DELETE FROM tally_changes"))
        await migrations.upgrade(database, FOLDER)
        async with database.transaction() as connection:
            found = await connection.execute(text("SELECT rep, CAST(risk_at AS text) FROM clocks ORDER BY rep"))
            assert [tuple(row) for row in found] == [("anna", "2026-03-10 12:10:00+00"), ("eva", None)]
            assert (await connection.execute(text("SELECT * FROM tally_changes"))).all() == []
            # A replica of the release before is still there: it knows nothing of the column.
            await connection.execute(text("DELETE FROM clocks"))
            await connection.execute(BEFORE)
            found = await connection.execute(text("SELECT rep, CAST(risk_at AS text) FROM clocks ORDER BY rep"))
            assert [tuple(row) for row in found] == [("anna", "2026-03-10 12:10:00+00"), ("eva", None)]
            await connection.execute(MOVED)
            found = await connection.execute(text("SELECT CAST(risk_at AS text) FROM clocks ORDER BY rep"))
            assert [tuple(row) for row in found] == [("2026-03-10 13:00:00+00",)] * 2
    finally:
        await database.close()
