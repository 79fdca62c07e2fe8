"""Proofs that services have erased what they held, as they come on `leads.privacy`."""

import json
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import Envelope, ErasureDone
from relance.logs import get_logger
from relance_ingest.domain.erasure import PROVING

log = get_logger(__name__)

# What is proven again (its request was delivered twice) is proven as it was at first.
_NOTE = text("""
    INSERT INTO erasure_proofs (erasure_id, part, service, rows, erased_at)
    SELECT erasure_id, part, service, CAST(rows AS jsonb), erased_at
    FROM unnest(
        CAST(:erasure_ids AS uuid[]), CAST(:parts AS integer[]), CAST(:services AS text[]), CAST(:rows AS text[]),
        CAST(:erased_ats AS timestamptz[])
    ) AS given (erasure_id, part, service, rows, erased_at)
    JOIN erasure_parts USING (erasure_id, part)
    ORDER BY erasure_id, part, service
    ON CONFLICT DO NOTHING
""")
_PROVEN = text("""
    UPDATE erasure_parts SET proven_at = now()
    FROM (SELECT DISTINCT * FROM unnest(CAST(:erasure_ids AS uuid[]), CAST(:parts AS integer[]))) AS given (id, number)
    WHERE erasure_id = given.id AND part = given.number AND proven_at IS NULL AND (
        SELECT count(*) FROM erasure_proofs p
        WHERE p.erasure_id = given.id AND p.part = given.number AND p.service = ANY(CAST(:proving AS text[]))
    ) = cardinality(CAST(:proving AS text[]))
""")
_UNKNOWN = text("""
    SELECT count(*) FROM unnest(CAST(:erasure_ids AS uuid[])) AS given (id)
    WHERE NOT EXISTS (SELECT FROM erasures WHERE erasures.id = given.id)
""")


class ProofHandler:
    """Notes each service's proof of each part once."""

    async def __call__(self, connection: AsyncConnection, events: Sequence[Envelope]) -> None:
        """Handle a batch."""
        proofs = [event.data for event in events if isinstance(event.data, ErasureDone)]
        if not proofs:
            return
        which = {
            "erasure_ids": [proof.erasure_id for proof in proofs],
            "parts": [proof.part for proof in proofs],
        }
        given = which | {
            "services": [proof.service for proof in proofs],
            "rows": [json.dumps(proof.rows) for proof in proofs],
            "erased_ats": [proof.erased_at for proof in proofs],
        }
        await connection.execute(_NOTE, given)
        await connection.execute(_PROVEN, which | {"proving": sorted(PROVING)})
        unknown = (await connection.execute(_UNKNOWN, {"erasure_ids": which["erasure_ids"]})).scalar_one()
        if unknown:
            log.warning("proofs of erasures that are not known here: was a backup restored?", proofs=unknown)
