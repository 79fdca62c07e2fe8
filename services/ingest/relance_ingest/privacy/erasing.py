"""Erasing: what is personal in leads is blanked, and whoever was told of them is told to do the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox, tracing
from relance.events import Envelope, ErasureRequested
from relance.ids import ErasureId, EventId, LeadId, NewId
from relance_ingest.acceptance.events import SOURCE
from relance_ingest.domain.erasure import Part

INGEST = "ingest"
# The key is free again, for whoever comes anew. What waited in the quarantine waits no more.
_BLANK = text("""
    WITH reasons AS (
        UPDATE quarantine_decisions SET reason = NULL
        WHERE lead_id = ANY(CAST(:ids AS uuid[])) AND reason IS NOT NULL
        RETURNING lead_id
    ),
    blanked AS (
        UPDATE leads
        SET idempotency_key = 'erased ' || gen_random_uuid(), fingerprint = '', data = '{}', person_keys = '{}',
            erased_at = :at,
            discarded_at = CASE WHEN suspicions <> '{}' AND released_at IS NULL THEN coalesce(discarded_at, :at) END
        WHERE id = ANY(CAST(:ids AS uuid[]))
    )
    SELECT lead_id, count(*) AS decisions FROM reasons GROUP BY lead_id
""")
_NOTE = text("""
    WITH given AS (
        SELECT part, CAST(lead_ids AS uuid[]) AS lead_ids, CAST(rows AS jsonb) AS rows
        FROM unnest(CAST(:parts AS integer[]), CAST(:lead_ids AS text[]), CAST(:rows AS text[]))
            AS given (part, lead_ids, rows)
    ),
    noted AS (
        INSERT INTO erasure_parts (erasure_id, part, lead_ids) SELECT :id, part, lead_ids FROM given
    )
    INSERT INTO erasure_proofs (erasure_id, part, service, rows, erased_at)
    SELECT :id, part, :service, rows, :at FROM given
""")


@dataclass(frozen=True)
class Erasure:
    """Why, and since when, leads are erased."""

    id: ErasureId
    because: Literal["request", "retention"]
    requested_at: datetime


async def erase(
    connection: AsyncConnection, erasure: Erasure, parts: Sequence[Part], at: datetime, new_id: NewId
) -> None:
    """Blank these leads, which this transaction must have locked, note that, and have it told."""
    ids = [lead_id for part in parts for lead_id in part.lead_ids]
    decisions = {row.lead_id: row.decisions for row in await connection.execute(_BLANK, {"ids": ids, "at": at})}
    given = {
        "id": erasure.id,
        "service": INGEST,
        "at": at,
        "parts": [part.number for part in parts],
        "lead_ids": ["{" + ",".join(str(lead_id) for lead_id in part.lead_ids) + "}" for part in parts],
        "rows": [json.dumps(_rows(part, decisions)) for part in parts],
    }
    await connection.execute(_NOTE, given)
    await outbox.append(connection, [_requested(erasure, part, at, new_id) for part in parts])


def _rows(part: Part, decisions: Mapping[LeadId, int]) -> dict[str, int]:
    reasons = sum(decisions.get(lead_id, 0) for lead_id in part.lead_ids)
    return {"leads": len(part.lead_ids), "quarantine_decisions": reasons}


def _requested(erasure: Erasure, part: Part, at: datetime, new_id: NewId) -> Envelope:
    data = ErasureRequested(
        erasure_id=erasure.id,
        part=part.number,
        lead_ids=part.lead_ids,
        because=erasure.because,
        requested_at=erasure.requested_at,
    )
    return Envelope(EventId(new_id()), SOURCE, part.key, at, tracing.current(), data)
