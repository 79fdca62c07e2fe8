"""Releasing what was quarantined: the lead goes on as if it had come in just now."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox, tracing
from relance.clock import Clock, utc_now
from relance.events import LeadReceived
from relance.ids import LeadId, NewId, new_id
from relance_ingest.acceptance.events import envelope

# Locked in one order, so that two who release the same leads do not stand in each other's way.
_RELEASE = text("""
    WITH quarantined AS (
        SELECT id FROM leads
        WHERE id = ANY(CAST(:ids AS uuid[])) AND suspicions <> '{}' AND released_at IS NULL AND erased_at IS NULL
        ORDER BY id FOR UPDATE
    )
    UPDATE leads SET released_at = :at, discarded_at = NULL FROM quarantined WHERE leads.id = quarantined.id
    RETURNING leads.id, leads.data
""")


async def release(
    connection: AsyncConnection, lead_ids: Sequence[LeadId], *, new_id: NewId = new_id, clock: Clock = utc_now
) -> list[LeadId]:
    """Tell these leads now. Returns those that were quarantined (or discarded) until now, and not erased."""
    now = clock()
    rows = (await connection.execute(_RELEASE, {"ids": list(lead_ids), "at": now})).all()
    told = [LeadReceived.model_validate(row.data) for row in sorted(rows, key=lambda row: row.id)]
    await outbox.append(connection, [envelope(data, now, tracing.current(), new_id) for data in told])
    return [data.lead_id for data in told]
