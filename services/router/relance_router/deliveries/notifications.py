"""Notifications in the database: written with what they tell of, claimed by a worker, settled with the outcome."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import LeadReceived
from relance.ids import AssignmentId, NotificationId
from relance_router.deliveries.announcements import NewNotification
from relance_router.deliveries.endpoints import rep_endpoint


@dataclass(frozen=True)
class Claimed:
    """A notification that this worker is to send; `attempts` counts this one."""

    id: NotificationId
    type: str
    endpoint: str
    details: Mapping[str, Any]
    assignment_id: AssignmentId | None
    lead: LeadReceived | None
    traceparent: str
    attempts: int
    age: timedelta


@dataclass(frozen=True)
class Settled:
    """What an attempt came to. `delay` is None when there is no next one."""

    id: NotificationId
    state: str
    delay: timedelta | None
    status: int | None
    error: str | None


_WRITE = text("""
    INSERT INTO notifications (id, key, type, endpoint, details, traceparent, lead_id, assignment_id)
    SELECT id, key, type, endpoint, CAST(details AS jsonb), traceparent, lead_id, assignment_id
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:keys AS text[]), CAST(:types AS text[]), CAST(:endpoints AS text[]),
        CAST(:details AS text[]), CAST(:traceparents AS text[]), CAST(:leads AS uuid[]), CAST(:assignments AS uuid[])
    ) AS given (id, key, type, endpoint, details, traceparent, lead_id, assignment_id)
    ON CONFLICT (key) DO NOTHING
""")
# The manager is still to hear that a lead was ignored, also when it has gone to somebody else meanwhile.
_CANCEL = text("""
    UPDATE notifications SET state = 'cancelled', settled_at = :now
    WHERE assignment_id = ANY(CAST(:assignments AS uuid[])) AND state = 'pending' AND endpoint LIKE :reps
""")
# The claim is a lease: until it runs out nobody else takes the row, and after that anybody may. The share per
# endpoint is counted before the lock, so that one slow endpoint cannot fill the whole worker.
_CLAIM = text("""
    WITH due AS (
        SELECT id, row_number() OVER (PARTITION BY endpoint ORDER BY next_attempt_at) AS place
        FROM notifications
        WHERE state = 'pending' AND next_attempt_at <= now() AND NOT endpoint = ANY(CAST(:busy AS text[]))
    ),
    taken AS (
        SELECT id FROM notifications
        WHERE id IN (SELECT id FROM due WHERE place <= :per_endpoint ORDER BY place LIMIT :batch)
            AND state = 'pending' AND next_attempt_at <= now()
        FOR UPDATE SKIP LOCKED
    )
    UPDATE notifications n SET attempts = attempts + 1, next_attempt_at = now() + CAST(:lease AS interval)
    FROM taken WHERE n.id = taken.id
    RETURNING n.id, n.type, n.endpoint, n.details, n.assignment_id,
        (SELECT l.data FROM leads l WHERE l.id = n.lead_id) AS lead,
        n.traceparent, n.attempts, now() - n.created_at AS age
""")
# A notification cancelled while it was under way stays cancelled, unless it has arrived.
_SETTLE = text("""
    UPDATE notifications n SET
        state = given.state,
        next_attempt_at = coalesce(now() + given.delay, n.next_attempt_at),
        settled_at = CASE WHEN given.state = 'pending' THEN NULL ELSE now() END,
        last_status = given.status,
        last_error = given.error
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:delays AS interval[]), CAST(:statuses AS integer[]),
        CAST(:errors AS text[])
    ) AS given (id, state, delay, status, error)
    WHERE n.id = given.id AND (n.state = 'pending' OR given.state = 'delivered')
""")
_NEXT = text("""
    SELECT count(*), extract(epoch FROM min(next_attempt_at) - clock_timestamp())
    FROM notifications WHERE state = 'pending'
""")


async def write_notifications(connection: AsyncConnection, notifications: Sequence[NewNotification]) -> None:
    """Store what is to be sent, in one statement."""
    if not notifications:
        return
    columns = {
        "ids": [each.id for each in notifications],
        "keys": [each.key for each in notifications],
        "types": [each.type for each in notifications],
        "endpoints": [each.endpoint for each in notifications],
        "details": [json.dumps(each.details) for each in notifications],
        "traceparents": [each.traceparent for each in notifications],
        "leads": [each.lead_id for each in notifications],
        "assignments": [each.assignment_id for each in notifications],
    }
    await connection.execute(_WRITE, columns)


async def cancel_notifications(connection: AsyncConnection, assignments: Sequence[AssignmentId], now: datetime) -> None:
    """Reps are told no more of assignments that have ended."""
    await connection.execute(_CANCEL, {"assignments": list(assignments), "now": now, "reps": rep_endpoint("%")})


async def claim(
    connection: AsyncConnection, *, batch: int, per_endpoint: int, busy: Sequence[str], lease: timedelta
) -> list[Claimed]:
    """Take notifications that are due, oldest first per endpoint, leaving out `busy` endpoints."""
    rows = await connection.execute(
        _CLAIM, {"batch": batch, "per_endpoint": per_endpoint, "busy": list(busy), "lease": lease}
    )
    return [
        Claimed(
            id=NotificationId(row.id),
            type=row.type,
            endpoint=row.endpoint,
            details=row.details,
            assignment_id=AssignmentId(row.assignment_id) if row.assignment_id else None,
            lead=LeadReceived.model_validate(row.lead) if row.lead else None,
            traceparent=row.traceparent,
            attempts=row.attempts,
            age=row.age,
        )
        for row in rows
    ]


async def settle(connection: AsyncConnection, outcomes: Sequence[Settled]) -> None:
    """Store what became of attempts, in one statement."""
    columns = {
        "ids": [each.id for each in outcomes],
        "states": [each.state for each in outcomes],
        "delays": [each.delay for each in outcomes],
        "statuses": [each.status for each in outcomes],
        "errors": [each.error for each in outcomes],
    }
    await connection.execute(_SETTLE, columns)


async def pending(connection: AsyncConnection) -> tuple[int, float | None]:
    """How many are pending, and the seconds until the first of them is due; None when there is none."""
    count, seconds = (await connection.execute(_NEXT)).one()
    return count, None if seconds is None else float(seconds)
