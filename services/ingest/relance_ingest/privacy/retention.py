"""Retention: leads that a source's `retention` has outlived are erased like a person's, and told as one."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from sqlalchemy import text

from relance.database import Database, after_commit
from relance.ids import ErasureId, LeadId, NewId, first_id_at
from relance.logs import get_logger
from relance_ingest import metrics
from relance_ingest.domain.erasure import LARGEST_PART, parts
from relance_ingest.privacy.erasing import Erasure, erase

log = get_logger(__name__)

LOOK_EVERY = timedelta(hours=1)
# Ids are made when a lead comes, so that the smallest are the oldest. What another replica is at is left to it.
_OLD = text("""
    SELECT id FROM leads WHERE source = :source AND id < :before AND erased_at IS NULL
    ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
""")
# The machine's own clock may not have been set yet, and what is erased stays erased.
_NOW = text("SELECT now()")
_BEGIN = text("INSERT INTO erasures (id, because, requested_at) VALUES (:id, 'retention', :at)")
_FORGET_REFERENCES = text("DELETE FROM partner_references WHERE source = :source AND told_at < :before")


class Retention:
    """Looks for what is too old. Any number of replicas may."""

    def __init__(
        self,
        database: Database,
        kept: Mapping[str, timedelta],
        new_id: NewId,
        on_committed: Callable[[], None],
    ) -> None:
        """`kept` is how long, by source; sources that are not in it keep their leads."""
        self._database = database
        self._kept = kept
        for source in kept:
            # Told from the start, so that the first one is an increase.
            metrics.REFERENCES_FORGOTTEN.labels(source)
        self._new_id = new_id
        self._on_committed = on_committed

    async def turn(self) -> timedelta:
        """Erase some of each source; returns when to do it again."""
        found = [await self._erase_some(source, kept) for source, kept in self._kept.items()]
        if any(found):
            self._on_committed()
        return timedelta() if LARGEST_PART in found else LOOK_EVERY

    async def _erase_some(self, source: str, kept: timedelta) -> int:
        async with self._database.transaction() as connection:
            now = (await connection.execute(_NOW)).scalar_one()
            before = now - kept
            given = {"source": source, "before": first_id_at(before), "most": LARGEST_PART}
            forgotten = (await connection.execute(_FORGET_REFERENCES, {"source": source, "before": before})).rowcount
            if forgotten:
                after_commit(connection, partial(_tell_forgotten, source, forgotten))
            lead_ids = [LeadId(lead_id) for lead_id in (await connection.execute(_OLD, given)).scalars()]
            if lead_ids:
                erasure = Erasure(ErasureId(self._new_id()), "retention", now)
                await connection.execute(_BEGIN, {"id": erasure.id, "at": now})
                told = parts([(lead_id, str(erasure.id)) for lead_id in lead_ids], first=0)
                await erase(connection, erasure, told, now, self._new_id)
        return len(lead_ids)


def _tell_forgotten(source: str, references: int) -> None:
    metrics.REFERENCES_FORGOTTEN.labels(source).inc(references)
    log.warning(
        "leads that a partner told and that were never fetched are forgotten: their source's retention is over",
        source=source,
        references=references,
    )
