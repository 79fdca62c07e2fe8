"""Promises of bringing deliveries that are under way to the tables of this release."""

from sqlalchemy import text
from tests.integration.delivering import announce, rows
from tests.integration.releases import left_at, upgrade

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import ROUTER

BEFORE = text("""
    INSERT INTO notifications (id, key, type, endpoint, details, traceparent, state, attempts, created_at, settled_at)
    SELECT gen_random_uuid(), key, 'lead.reminder', 'rep:anna', '{}', '', state, attempts, now() - age, settled_at
    FROM (VALUES
        ('second', 'pending', 3, interval '1 hour', NULL),
        ('first', 'delivered', 1, interval '2 hours', now())
    ) AS given (key, state, attempts, age, settled_at)
""")


async def test_notifications_keep_their_order_age_and_attempts(real_parts: tuple[DatabaseServer, Broker]) -> None:
    """And what is written afterwards comes after them."""
    server, _ = real_parts
    async with left_at(server, ROUTER, "0002") as database:
        async with database.transaction() as connection:
            await connection.execute(BEFORE)
        await upgrade(database)
        await announce(database, "rep:anna")
        kept = await rows(database, "SELECT key, state, attempts, email_state FROM notifications ORDER BY sequence")
        assert [(row["key"], row["state"], row["attempts"]) for row in kept[:2]] == [
            ("first", "delivered", 1),
            ("second", "pending", 3),
        ]
        assert (len(kept), {row["email_state"] for row in kept}) == (3, {"unsent"})
        aged = await rows(database, "SELECT now() - due_since > interval '59 minutes' AS aged FROM notifications")
        assert sorted(row["aged"] for row in aged) == [False, True, True]
