"""Pauses: by hand, or because a rep ignores leads. Announced to the rep and to the managers, and reversible."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import after_commit
from relance.ids import NewId
from relance_router import metrics
from relance_router.deliveries import announcements
from relance_router.deliveries.endpoints import manager_endpoint, rep_endpoint
from relance_router.deliveries.notifications import write_notifications
from relance_router.domain.configuration import Configuration
from relance_router.routing.requests import Owner

AUTOMATIC = "relance"
"""Who pauses reps that ignore leads."""

_IGNORED = text("""
    INSERT INTO ignored_leads (rep, in_a_row)
    SELECT * FROM unnest(CAST(:reps AS text[]), CAST(:leads AS integer[])) AS given (rep, leads) ORDER BY rep
    ON CONFLICT (rep) DO UPDATE SET in_a_row = ignored_leads.in_a_row + excluded.in_a_row
    RETURNING rep, in_a_row
""")
_ANSWERED = text("DELETE FROM ignored_leads WHERE rep = :rep")
_PAUSE = text("""
    INSERT INTO pauses (id, rep, because, paused_by, paused_at)
    SELECT id, rep, because, :by, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:reps AS text[]), CAST(:reasons AS text[])) AS given (id, rep, because)
    ON CONFLICT (rep) WHERE resumed_at IS NULL DO NOTHING
    RETURNING id, rep, because
""")
_RESUME = text("""
    UPDATE pauses SET resumed_by = :by, resumed_at = :now WHERE rep = :rep AND resumed_at IS NULL RETURNING id
""")


async def pause_who_ignores(
    connection: AsyncConnection, configuration: Configuration, owners: Sequence[Owner], now: datetime, new_id: NewId
) -> None:
    """Count ignored leads; who has ignored as many in a row as their team bears is paused."""
    if not owners:
        return
    ignored: dict[str, int] = {}
    for owner in owners:
        ignored[owner.rep] = ignored.get(owner.rep, 0) + 1
    columns = {"reps": sorted(ignored), "leads": [ignored[rep] for rep in sorted(ignored)]}
    rows = {row.rep: row.in_a_row for row in await connection.execute(_IGNORED, columns)}
    limits = {
        owner.rep: team.pause_after_ignored
        for owner in owners
        if (team := configuration.teams_by_id.get(owner.team)) and team.pause_after_ignored
    }
    reasons = {
        rep: f"ignored {rows[rep]} leads in a row"
        for rep, limit in sorted(limits.items())
        if limit and rows.get(rep, 0) >= limit
    }
    await pause(connection, configuration, reasons, by=AUTOMATIC, now=now, new_id=new_id)


async def answered(connection: AsyncConnection, rep: str) -> None:
    """The rep answers: what was ignored before is forgotten. Call it before a line is locked."""
    await connection.execute(_ANSWERED, {"rep": rep})


async def pause(
    connection: AsyncConnection,
    configuration: Configuration,
    reasons: dict[str, str],
    *,
    by: str,
    now: datetime,
    new_id: NewId,
) -> set[str]:
    """Pause reps who are not paused yet, each with the reason; returns whom."""
    if not reasons:
        return set()
    columns: dict[str, Sequence[object]] = {
        "ids": [new_id() for _ in reasons],
        "reps": list(reasons),
        "reasons": list(reasons.values()),
    }
    rows = (await connection.execute(_PAUSE, {**columns, "by": by, "now": now})).all()
    how = "automatic" if by == AUTOMATIC else "by_hand"
    after_commit(connection, lambda: metrics.PAUSED.labels(how).inc(len(rows)))
    for row in rows:
        await _announce(connection, configuration, row.id, row.rep, row.because, resumed=False, now=now, new_id=new_id)
    return {row.rep for row in rows}


async def resume(
    connection: AsyncConnection, configuration: Configuration, rep: str, *, by: str, now: datetime, new_id: NewId
) -> bool:
    """End a rep's pause; whether there was one. What was ignored is forgotten in any case."""
    # First, in the order in which an escalation counts and pauses.
    await answered(connection, rep)
    found = (await connection.execute(_RESUME, {"rep": rep, "by": by, "now": now})).scalar_one_or_none()
    if found is None:
        return False
    await _announce(connection, configuration, found, rep, f"resumed by {by}", resumed=True, now=now, new_id=new_id)
    return True


async def _announce(
    connection: AsyncConnection,
    configuration: Configuration,
    pause_id: UUID,
    rep: str,
    why: str,
    *,
    resumed: bool,
    now: datetime,
    new_id: NewId,
) -> None:
    endpoints = [rep_endpoint(rep), *map(manager_endpoint, sorted(configuration.teams_of.get(rep, ())))]
    told = [
        announcements.pause_changed(
            pause_id, rep=rep, endpoint=endpoint, resumed=resumed, why=why, at=now, new_id=new_id
        )
        for endpoint in endpoints
    ]
    await write_notifications(connection, told)
