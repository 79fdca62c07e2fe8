"""Where the router holds personal data that is sealed at rest."""

from uuid import UUID

from sqlalchemy import text

from relance.database import Database
from relance.outbox import WAITING_EVENTS
from relance.resealing import SealedColumn

SEALED_COLUMNS = (
    SealedColumn("leads", "data", "jsonb"),
    SealedColumn("replaced_leads", "data", "jsonb", key="lead_id"),
    SealedColumn("answers", "reason", "text", key="assignment_id"),
    SealedColumn("dispositions", "note", "text", key="assignment_id"),
    WAITING_EVENTS,
)
AT_ONCE = 2_000
_FILL = text("""
    UPDATE leads SET source = data ->> 'source', channel = data ->> 'channel', campaign = data ->> 'campaign',
        received_at = CAST(data ->> 'received_at' AS timestamptz)
    WHERE id IN (
        SELECT id FROM leads WHERE source IS NULL AND id > :after ORDER BY id LIMIT :most FOR UPDATE
    )
    RETURNING id
""")


async def fill(database: Database) -> None:
    """Write beside leads what is looked for: releases before did not. Some at a time: there may be millions."""
    after = UUID(int=0)
    while True:
        async with database.transaction() as connection:
            filled = (await connection.execute(_FILL, {"after": after, "most": AT_ONCE})).scalars().all()
        if not filled:
            return
        after = max(filled)
