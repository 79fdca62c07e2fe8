"""Erasures that operators asked for: going on until no lead of the person is left, and where each stands."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.clock import Clock
from relance.database import Database
from relance.ids import ErasureId, NewId
from relance_ingest import metrics
from relance_ingest.acceptance.naming import name_some
from relance_ingest.domain.erasure import LARGEST_PART, PROVING, parts
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.privacy import finding
from relance_ingest.privacy.erasing import Erasure, erase
from relance_ingest.privacy.finding import Person

_BEGIN = text("""
    INSERT INTO erasures (id, because, requested_by, reason, requested_at, person_keys)
    VALUES (:id, 'request', :by, :reason, :at, :keys)
""")
_NEXT = text("""
    SELECT id, because, requested_at, person_keys FROM erasures
    WHERE person_keys IS NOT NULL AND (CAST(:id AS uuid) IS NULL OR id = :id) ORDER BY id LIMIT 1
    FOR UPDATE SKIP LOCKED
""")
# Counted once the erasure is locked: a statement that began before another replica's commit does not see its parts.
_PARTS = text("SELECT count(*) FROM erasure_parts WHERE erasure_id = :id")
_FOUND_ALL = text("UPDATE erasures SET person_keys = NULL WHERE id = :id")
_ONE = text("""
    SELECT id, because, requested_by, reason, requested_at, person_keys IS NULL AS found_all,
        (SELECT count(*) FROM erasure_parts WHERE erasure_id = erasures.id) AS parts,
        ARRAY(SELECT unnest(lead_ids) FROM erasure_parts WHERE erasure_id = erasures.id ORDER BY 1) AS lead_ids
    FROM erasures WHERE id = :id
""")
_PROOFS = text("""
    SELECT service, count(DISTINCT part) AS parts, max(erased_at) AS erased_at,
        (SELECT jsonb_object_agg(name, rows) FROM (
            SELECT key AS name, sum(CAST(value AS bigint)) AS rows
            FROM erasure_proofs each, jsonb_each_text(each.rows)
            WHERE each.erasure_id = :id AND each.service = proofs.service GROUP BY key
        ) summed) AS rows
    FROM erasure_proofs proofs WHERE erasure_id = :id GROUP BY service ORDER BY service
""")
_MEASURE = text("""
    SELECT count(*) AS open, coalesce(extract(epoch FROM now() - min(requested_at)), 0) AS oldest FROM erasures
    WHERE id IN (
        SELECT erasure_id FROM erasure_parts WHERE proven_at IS NULL
        UNION SELECT id FROM erasures WHERE person_keys IS NOT NULL
    )
""")


@dataclass(frozen=True)
class Proof:
    """What a service has erased: how many rows, by table, for how many parts, and when the last."""

    service: str
    parts: int
    rows: dict[str, int]
    erased_at: datetime


@dataclass(frozen=True)
class Standing:
    """How far an erasure is."""

    id: ErasureId
    because: Literal["request", "retention"]
    requested_by: str | None
    reason: str | None
    requested_at: datetime
    lead_ids: list[UUID]
    proofs: list[Proof]
    waiting_for: list[str]
    """Services that have not proven all, ingest itself while it is still finding leads."""


class Erasures:
    """Any number of replicas may work on them."""

    def __init__(
        self,
        database: Database,
        pseudonyms: Pseudonyms,
        new_id: NewId,
        clock: Clock,
        *,
        on_committed: Callable[[], None],
        figures_every: timedelta,
    ) -> None:
        """`on_committed` is told that there is something to publish."""
        self._database = database
        self._pseudonyms = pseudonyms
        self._new_id = new_id
        self._clock = clock
        self._on_committed = on_committed
        self._figures_every = figures_every

    async def request(self, person: Person, by: str, reason: str | None) -> ErasureId:
        """Commit the erasure with its first leads; turns erase what is left."""
        erasure_id = ErasureId(self._new_id())
        given = {
            "id": erasure_id,
            "by": by,
            "reason": self._database.personal_data.seal(reason) if reason else None,
            "at": self._clock(),
            "keys": person.keys(self._pseudonyms),
        }
        async with self._database.transaction() as connection:
            await connection.execute(_BEGIN, given)
            if await name_some(connection):
                await self._erase_some(connection, erasure_id)
        self._on_committed()
        return erasure_id

    async def turn(self) -> timedelta:
        """Name leads, then go on with an erasure that is not through, and measure; returns when to do it again."""
        async with self._database.transaction() as connection:
            went_on = not await name_some(connection) or await self._erase_some(connection, None)
            row = (await connection.execute(_MEASURE)).one()
        metrics.ERASURES_OPEN.set(row.open)
        metrics.ERASURES_OLDEST.set(float(row.oldest))
        if went_on:
            self._on_committed()
        return timedelta() if went_on else self._figures_every

    async def _erase_some(self, connection: AsyncConnection, erasure_id: ErasureId | None) -> bool:
        """Once all leads are named; whether there was anything to do."""
        row = (await connection.execute(_NEXT, {"id": erasure_id})).one_or_none()
        if row is None:
            return False
        leads = await finding.lock(connection, row.person_keys, LARGEST_PART)
        if leads:
            erasure = Erasure(ErasureId(row.id), row.because, row.requested_at)
            first = (await connection.execute(_PARTS, {"id": row.id})).scalar_one()
            await erase(connection, erasure, parts(leads, first=first), self._clock(), self._new_id)
        if len(leads) < LARGEST_PART:
            await connection.execute(_FOUND_ALL, {"id": row.id})
        return True

    async def standing(self, erasure_id: ErasureId) -> Standing | None:
        """How far it is; None when there is no such erasure."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_ONE, {"id": erasure_id})).one_or_none()
            rows = (await connection.execute(_PROOFS, {"id": erasure_id})).all()
        if row is None:
            return None
        proofs = [Proof(each.service, each.parts, each.rows, each.erased_at) for each in rows]
        return Standing(
            erasure_id,
            row.because,
            row.requested_by,
            self._database.personal_data.open(row.reason) if row.reason else None,
            row.requested_at,
            row.lead_ids,
            proofs,
            _waiting_for(row, proofs),
        )


def _waiting_for(row: Row[Any], proofs: list[Proof]) -> list[str]:
    proven = {proof.service for proof in proofs if proof.parts == row.parts}
    missing = sorted(PROVING - proven) if row.parts else []
    return missing if row.found_all else ["ingest", *missing]
