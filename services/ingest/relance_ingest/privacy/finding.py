"""Finding a person's leads, by pseudonyms: no address and no number stands in a column that could be searched."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.ids import LeadId
from relance_ingest.domain.pseudonyms import Pseudonyms

# While replicas of the version before still run, they write leads without. They have no secret, and name a person by
# one of the two only: so the plain hashes of both (`Pseudonyms`) are made here.
_FILL = text("""
    UPDATE leads SET person_keys = ARRAY[data->>'identity_key'] || ARRAY(
        SELECT jsonb_array_elements_text(data->'person_keys')
        UNION SELECT left(encode(sha256(convert_to(who, 'UTF8')), 'hex'), 32)
        FROM (VALUES
            ('email:' || lower(data #>> '{contact,email}')), ('phone:' || (data #>> '{contact,phone}'))
        ) AS known (who)
        WHERE who IS NOT NULL
        EXCEPT SELECT data->>'identity_key'
    )
    WHERE person_keys IS NULL
""")
# Locked in the order in which repetitions and releases lock them.
_LOCK = text("""
    SELECT id, person_keys[1] AS key FROM leads WHERE person_keys && CAST(:keys AS text[])
    ORDER BY id LIMIT :most FOR UPDATE
""")
_PAGE = text("""
    SELECT id, idempotency_key, revised_at, suspicions, released_at, discarded_at, data,
        ARRAY(SELECT reason FROM quarantine_decisions WHERE lead_id = leads.id AND reason IS NOT NULL ORDER BY id)
            AS reasons
    FROM leads
    WHERE person_keys && CAST(:keys AS text[]) AND (CAST(:after AS uuid) IS NULL OR id > :after)
    ORDER BY id LIMIT :most
""")


@dataclass(frozen=True)
class Person:
    """Somebody, by what is known of them: normalised, at least one of the two."""

    email: str | None
    phone: str | None

    def keys(self, pseudonyms: Pseudonyms) -> list[str]:
        """Under which leads may stand: also plain hashes, because there may have been no secret when they came."""
        return sorted(
            {*pseudonyms.person_keys(self.email, self.phone), *Pseudonyms().person_keys(self.email, self.phone)}
        )


async def fill(connection: AsyncConnection) -> None:
    """Have every lead found. Must be done before their data is sealed."""
    await connection.execute(_FILL)


async def lock(connection: AsyncConnection, keys: Sequence[str], most: int) -> list[tuple[LeadId, str]]:
    """Some leads of the person, and the key of each one's events. Nobody changes them before this transaction ends."""
    await fill(connection)
    rows = await connection.execute(_LOCK, {"keys": list(keys), "most": most})
    return [(LeadId(row.id), row.key) for row in rows]


async def page(
    connection: AsyncConnection, keys: Sequence[str], *, after: LeadId | None, most: int
) -> Sequence[Row[tuple[object, ...]]]:
    """All that is held of the person, oldest first."""
    await fill(connection)
    return (await connection.execute(_PAGE, {"keys": list(keys), "after": after, "most": most})).all()
