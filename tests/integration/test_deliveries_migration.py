"""Promises of bringing deliveries that are under way to the tables of this release."""

import uuid
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic_core import MultiHostUrl
from sqlalchemy import Connection, text
from tests.integration.delivering import announce, rows

import relance_router
from relance import migrations
from relance.database import Database
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer

FOLDER = Path(relance_router.__file__).parent / "migrations"
BEFORE = text("""
    INSERT INTO notifications (id, key, type, endpoint, details, traceparent, state, attempts, created_at, settled_at)
    SELECT gen_random_uuid(), key, 'lead.reminder', 'rep:anna', '{}', '', state, attempts, now() - age, settled_at
    FROM (VALUES
        ('second', 'pending', 3, interval '1 hour', NULL),
        ('first', 'delivered', 1, interval '2 hours', now())
    ) AS given (key, state, attempts, age, settled_at)
""")


def upgrade_to_0002(connection: Connection) -> None:
    """As the release before had it."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "0002")


async def test_notifications_keep_their_order_age_and_attempts(real_parts: tuple[DatabaseServer, Broker]) -> None:
    """And what is written afterwards comes after them."""
    server, _ = real_parts
    name = f"test_{uuid.uuid4().hex}"
    await server.create_relance_database(name)
    url = MultiHostUrl(server.url("router", name))
    database = Database(url, schema="router", pool_size=2, timeout=timedelta(seconds=10))
    try:
        async with database.transaction() as connection:
            await connection.run_sync(upgrade_to_0002)
            await connection.execute(BEFORE)
        await migrations.upgrade(database, FOLDER)
        await announce(database, "rep:anna")
        kept = await rows(database, "SELECT key, state, attempts, email_state FROM notifications ORDER BY sequence")
        assert [(row["key"], row["state"], row["attempts"]) for row in kept[:2]] == [
            ("first", "delivered", 1),
            ("second", "pending", 3),
        ]
        assert (len(kept), {row["email_state"] for row in kept}) == (3, {"unsent"})
        aged = await rows(database, "SELECT now() - due_since > interval '59 minutes' AS aged FROM notifications")
        assert sorted(row["aged"] for row in aged) == [False, True, True]
    finally:
        await database.close()
