"""What operators see of deliveries, and replays."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance_router.deliveries.endpoints import rep_endpoint
from relance_router.domain.delivery_ways import State

MOST_ATTEMPTS = 500
MOST_REPLAYED = 10_000

_COLUMNS = """
    id AS notification_id, sequence, type, endpoint, state, email_state, lead_id, assignment_id, attempts,
    email_attempts, replays, created_at, settled_at, last_status, last_error,
    CASE state WHEN 'pending' THEN next_attempt_at END AS next_attempt_at
"""
_ONE = text(f"SELECT {_COLUMNS} FROM notifications WHERE id = :id")
_ATTEMPTS = text("""
    SELECT replay, way, attempt, at, status, error, seconds, response FROM delivery_attempts
    WHERE notification_id = :id ORDER BY at DESC, attempt DESC LIMIT :most
""")
_AGAIN = """
    state = 'pending', email_state = 'unsent', attempts = 0, email_attempts = 0, replays = replays + 1,
    next_attempt_at = now(), email_from = now(), due_since = now(), settled_at = NULL
"""
_ERASED = "EXISTS (SELECT FROM leads l WHERE l.id = n.lead_id AND l.erased_at IS NOT NULL)"
_REPLAY = text(f"""
    UPDATE notifications n SET {_AGAIN}
    WHERE id = :id AND state IN ('delivered', 'failed') AND NOT {_ERASED} RETURNING id
""")
# A rep is not told again of an assignment that has ended meanwhile.
_REPLAY_FAILED = text(f"""
    UPDATE notifications SET {_AGAIN}
    WHERE id IN (
        SELECT n.id FROM notifications n
        WHERE n.endpoint = :endpoint AND n.state = 'failed' AND n.created_at >= :since
            AND NOT (n.endpoint LIKE :reps AND EXISTS (
                SELECT FROM assignments a
                WHERE a.id = n.assignment_id AND a.ended_at IS NOT NULL AND n.type <> 'lead.taken_away'
            ))
            AND NOT {_ERASED}
        ORDER BY n.sequence LIMIT :most
        FOR UPDATE SKIP LOCKED
    )
""")


async def deliveries(
    connection: AsyncConnection,
    *,
    endpoint: str | None,
    state: State | None,
    lead_id: UUID | None,
    before: int | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Newest first, below the sequence `before`."""
    conditions = {
        "endpoint = :endpoint": endpoint,
        "state = :state": state,
        "lead_id = :lead_id": lead_id,
        "sequence < :before": before,
    }
    given = [condition for condition, value in conditions.items() if value is not None]
    where = f"WHERE {' AND '.join(given)}" if given else ""
    query = text(f"SELECT {_COLUMNS} FROM notifications {where} ORDER BY sequence DESC LIMIT :limit")
    values = {"endpoint": endpoint, "state": state, "lead_id": lead_id, "before": before}
    bound = {name: value for name, value in values.items() if value is not None}
    return (await connection.execute(query, {**bound, "limit": limit})).all()


async def delivery(connection: AsyncConnection, notification: UUID) -> tuple[Row[Any], Sequence[Row[Any]]] | None:
    """A notification and its latest attempts, newest first; None when there is no such notification."""
    found = (await connection.execute(_ONE, {"id": notification})).one_or_none()
    if found is None:
        return None
    return found, (await connection.execute(_ATTEMPTS, {"id": notification, "most": MOST_ATTEMPTS})).all()


async def replay(connection: AsyncConnection, notification: UUID) -> bool:
    """Send a notification again that is delivered or failed; returns whether it was one."""
    return (await connection.execute(_REPLAY, {"id": notification})).one_or_none() is not None


async def replay_failed(connection: AsyncConnection, endpoint: str, since: datetime) -> int:
    """Send again what failed at an endpoint and was written since, oldest first; returns how many."""
    values = {"endpoint": endpoint, "since": since, "reps": rep_endpoint("%"), "most": MOST_REPLAYED}
    return (await connection.execute(_REPLAY_FAILED, values)).rowcount
