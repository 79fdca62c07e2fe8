"""Where the router holds personal data that is sealed at rest."""

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
_FILL = text("""
    UPDATE leads SET source = data ->> 'source', channel = data ->> 'channel', campaign = data ->> 'campaign',
        received_at = CAST(data ->> 'received_at' AS timestamptz)
    WHERE source IS NULL
""")


async def fill(database: Database) -> None:
    """Write beside leads what is looked for: replicas of the release before did not."""
    async with database.transaction() as connection:
        await connection.execute(_FILL)
