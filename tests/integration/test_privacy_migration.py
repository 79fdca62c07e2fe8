"""Promises of bringing leads that are there to the tables of this release."""

from sqlalchemy import text
from tests.integration.releases import left_at, upgrade

from relance_ingest.acceptance.naming import name_all
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST

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


async def test_leads_are_found_by_all_that_their_data_says(real_parts: tuple[DatabaseServer, Broker]) -> None:
    """The key of their events first."""
    server, _ = real_parts
    async with left_at(server, INGEST, "0004") as database:
        async with database.transaction() as connection:
            await connection.execute(BEFORE)
        await upgrade(database)
        await name_all(database)
        async with database.transaction() as connection:
            first, second, third, fourth = (await connection.execute(KEYS)).scalars()
    assert (first, third) == (["mail"], ["mail"])
    assert (second[0], sorted(second)) == ("old", ["mail", "old", "phone"])
    known = Pseudonyms().person_keys("Maria@example.com", "+4930901820")
    assert (fourth[0], sorted(fourth[1:])) == ("of nobody", sorted(known))
