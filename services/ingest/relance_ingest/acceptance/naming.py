"""Pseudonyms of leads that the version before wrote: it stored no `person_keys`."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance.ids import LeadId

AT_ONCE = 2_000
# That version has no secret, and names a person by address or number: the plain hashes of both (`Pseudonyms`) are made.
_NAME = """
    UPDATE leads SET person_keys = ARRAY[data->>'identity_key'] || ARRAY(
        SELECT jsonb_array_elements_text(data->'person_keys')
        UNION SELECT left(encode(sha256(convert_to(who, 'UTF8')), 'hex'), 32)
        FROM (VALUES
            ('email:' || lower(data #>> '{contact,email}')), ('phone:' || (data #>> '{contact,phone}'))
        ) AS known (who)
        WHERE who IS NOT NULL
        EXCEPT SELECT data->>'identity_key'
    )
"""
NAME_REST = f"{_NAME} WHERE person_keys IS NULL"
"""For what the service has not done yet, at once."""
_NAME_THESE = text(f"{_NAME} WHERE id = ANY(CAST(:ids AS uuid[])) AND person_keys IS NULL")
_NAME_SOME = text(f"""
    {_NAME} WHERE id IN (SELECT id FROM leads WHERE person_keys IS NULL ORDER BY id LIMIT :most FOR UPDATE)
""")


async def name(connection: AsyncConnection, leads: Sequence[LeadId]) -> None:
    """Name these. Must be done before their data is revised or sealed."""
    await connection.execute(_NAME_THESE, {"ids": list(leads)})


async def name_some(connection: AsyncConnection) -> bool:
    """Name the next of all; whether none is left. In steps: there may be millions."""
    return (await connection.execute(_NAME_SOME, {"most": AT_ONCE})).rowcount < AT_ONCE


async def name_all(database: Database) -> None:
    """Name all, each step in a transaction of its own."""
    named = False
    while not named:
        async with database.transaction() as connection:
            named = await name_some(connection)
