"""Suspected leads in the database: which there are, and what operators decide. Every decision is kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database, after_commit, sealed
from relance.ids import LeadId
from relance_ingest import metrics
from relance_ingest.acceptance import release
from relance_ingest.domain.suspicion import Suspicion


class State(StrEnum):
    """Where a suspected lead stands."""

    WAITING = "waiting"
    RELEASED = "released"
    DISCARDED = "discarded"


@dataclass(frozen=True)
class Decision:
    """What an operator wants, and why."""

    state: State
    """Released or discarded."""
    by: str
    reason: str | None


@dataclass(frozen=True)
class Filter:
    """Which leads; None: whichever."""

    state: State | None = None
    source: str | None = None
    suspicion: Suspicion | None = None


_STATE = """
    CASE WHEN released_at IS NOT NULL THEN 'released' WHEN discarded_at IS NOT NULL THEN 'discarded'
        ELSE 'waiting' END
"""
# Literally, and a statement each, so that what waits is found by its own index however much was decided before.
_STANDS = {
    None: "true",
    State.WAITING: "released_at IS NULL AND discarded_at IS NULL",
    State.RELEASED: "released_at IS NOT NULL",
    State.DISCARDED: "released_at IS NULL AND discarded_at IS NOT NULL",
}
_MATCHING = """
    suspicions <> '{}' AND erased_at IS NULL
    AND (CAST(:source AS text) IS NULL OR source = :source)
    AND (CAST(:suspicion AS text) IS NULL OR CAST(:suspicion AS text) = ANY(suspicions))
"""
_LEADS = f"""
    SELECT leads.id, suspicions, data, {_STATE} AS state, decided_by, reason, decided_at
    FROM leads LEFT JOIN LATERAL (
        SELECT decided_by, reason, decided_at FROM quarantine_decisions WHERE lead_id = leads.id
        ORDER BY quarantine_decisions.id DESC LIMIT 1
    ) newest ON true
"""
_PAGE = {
    state: text(f"""
        {_LEADS} WHERE {_MATCHING} AND {stands} AND (CAST(:before AS uuid) IS NULL OR leads.id < :before)
        ORDER BY leads.id DESC LIMIT :limit
    """)
    for state, stands in _STANDS.items()
}
_ONE = text(f"{_LEADS} WHERE leads.id = :id AND erased_at IS NULL")
_IDS = {
    state: text(f"SELECT id FROM leads WHERE {_MATCHING} AND {stands} ORDER BY id LIMIT :limit")
    for state, stands in _STANDS.items()
}
_LOCK = text("SELECT id FROM leads WHERE id = :id FOR UPDATE")
# Locked in one order, so that two who decide on the same leads do not stand in each other's way.
_DISCARD = text("""
    WITH waiting AS (
        SELECT id FROM leads
        WHERE id = ANY(CAST(:ids AS uuid[])) AND suspicions <> '{}' AND released_at IS NULL AND discarded_at IS NULL
        ORDER BY id FOR UPDATE
    )
    UPDATE leads SET discarded_at = now() FROM waiting WHERE leads.id = waiting.id RETURNING leads.id
""")
_NOTE = text("""
    WITH noted AS (
        INSERT INTO quarantine_decisions (lead_id, decision, decided_by, reason)
        SELECT id, :decision, :by, :reason FROM unnest(CAST(:ids AS uuid[])) AS given (id)
        RETURNING lead_id
    )
    SELECT source, count(*) AS leads FROM leads JOIN noted ON lead_id = leads.id GROUP BY source
""")
_WAITING = text("""
    SELECT source, count(*) AS leads, extract(epoch FROM now() - min(received_at)) AS oldest FROM leads
    WHERE suspicions <> '{}' AND released_at IS NULL AND discarded_at IS NULL GROUP BY source
""")


async def page(
    connection: AsyncConnection, which: Filter, *, before: LeadId | None, limit: int
) -> Sequence[Row[tuple[object, ...]]]:
    """Suspected leads, the newest first."""
    found = await connection.execute(_PAGE[which.state], _given(which) | {"before": before, "limit": limit})
    return found.all()


async def one(connection: AsyncConnection, lead_id: LeadId) -> Row[tuple[object, ...]] | None:
    """A lead, suspected or not; none when it was erased."""
    return (await connection.execute(_ONE, {"id": lead_id})).one_or_none()


async def matching(connection: AsyncConnection, which: Filter, limit: int) -> list[LeadId]:
    """The oldest suspected leads of a filter."""
    return list((await connection.execute(_IDS[which.state], _given(which) | {"limit": limit})).scalars())


async def lock(connection: AsyncConnection, lead_id: LeadId) -> None:
    """Have nobody else decide on this lead before this transaction ends."""
    await connection.execute(_LOCK, {"id": lead_id})


async def decide(connection: AsyncConnection, lead_ids: Sequence[LeadId], decision: Decision) -> list[LeadId]:
    """Release or discard. Returns those for which that is news; a released lead is not discarded: it is told."""
    if decision.state is State.RELEASED:
        decided = await release(connection, lead_ids)
    else:
        decided = list((await connection.execute(_DISCARD, {"ids": list(lead_ids)})).scalars())
    if decided:
        reason = sealed(connection).seal(decision.reason) if decision.reason else None
        given = {"ids": decided, "decision": decision.state, "by": decision.by, "reason": reason}
        sources = (await connection.execute(_NOTE, given)).all()
        after_commit(connection, lambda: _count(decision.state, [(row.source, row.leads) for row in sources]))
    return decided


def _count(state: State, sources: Iterable[tuple[str, int]]) -> None:
    for source, leads in sources:
        metrics.QUARANTINE_DECISIONS.labels(source, state).inc(leads)


def _given(which: Filter) -> dict[str, object]:
    return {"source": which.source, "suspicion": which.suspicion}


@dataclass
class Waiting:
    """Measures what waits, of all replicas together: each reports the same."""

    database: Database
    every: timedelta
    _sources: set[str] = field(default_factory=set)

    async def count(self) -> timedelta:
        """Count once; returns when to count again."""
        async with self.database.transaction() as connection:
            found = {row.source: row for row in await connection.execute(_WAITING)}
        self._sources |= found.keys()
        for source in self._sources:
            row = found.get(source)
            metrics.QUARANTINE_WAITING.labels(source).set(row.leads if row else 0)
            metrics.QUARANTINE_OLDEST.labels(source).set(row.oldest if row else 0)
        return self.every
