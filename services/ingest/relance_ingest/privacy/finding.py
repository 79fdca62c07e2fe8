"""Finding a person's leads, by pseudonyms: no address and no number stands in a column that could be searched.

Only leads that have been named are found (`relance_ingest.acceptance.naming`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.ids import LeadId
from relance_ingest.domain.pseudonyms import Pseudonyms

# Found first, in no order: plans think that one lead in two hundred is the person's, and would walk all in theirs.
_FOUND = "id = ANY(ARRAY(SELECT id FROM leads WHERE person_keys && CAST(:keys AS text[])))"
# Locked in the order in which repetitions and releases lock them. Who was erased since is looked at again and left out.
_LOCK = text(f"""
    SELECT id, person_keys[1] AS key FROM leads WHERE {_FOUND} AND person_keys && CAST(:keys AS text[])
    ORDER BY id LIMIT :most FOR UPDATE
""")
_PAGE = text(f"""
    SELECT id, idempotency_key, revised_at, suspicions, released_at, discarded_at, data,
        ARRAY(SELECT reason FROM quarantine_decisions WHERE lead_id = leads.id AND reason IS NOT NULL ORDER BY id)
            AS reasons
    FROM leads
    WHERE {_FOUND} AND (CAST(:after AS uuid) IS NULL OR id > :after)
    ORDER BY id LIMIT :most
""")


@dataclass(frozen=True)
class Person:
    """Somebody, by what is known of them: normalised, at least one of the two."""

    email: str | None
    phone: str | None

    def keys(self, pseudonyms: Pseudonyms) -> list[str]:
        """Under which leads may stand, whatever the secret was when they came."""
        return sorted({key for each in pseudonyms.known() for key in each.person_keys(self.email, self.phone)})


async def lock(connection: AsyncConnection, keys: Sequence[str], most: int) -> list[tuple[LeadId, str]]:
    """Some leads of the person, and the key of each one's events. Nobody changes them before this transaction ends."""
    rows = await connection.execute(_LOCK, {"keys": list(keys), "most": most})
    return [(LeadId(row.id), row.key) for row in rows]


async def page(
    connection: AsyncConnection, keys: Sequence[str], *, after: LeadId | None, most: int
) -> Sequence[Row[tuple[object, ...]]]:
    """All that is held of the person, oldest first."""
    return (await connection.execute(_PAGE, {"keys": list(keys), "after": after, "most": most})).all()
