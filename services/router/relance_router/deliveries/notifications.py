"""Notifications in the database: written with what they tell of, claimed by a worker, settled with the outcome."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import sealed
from relance.events import LeadReceived
from relance.ids import AssignmentId, NotificationId
from relance_router.deliveries.announcements import NewNotification
from relance_router.deliveries.endpoints import rep_endpoint
from relance_router.domain.delivery_ways import Progress
from relance_router.domain.retry_schedule import GIVE_UP_AFTER


@dataclass(frozen=True)
class Claimed:
    """A notification that this worker is to send."""

    id: NotificationId
    type: str
    endpoint: str
    details: Mapping[str, Any]
    assignment_id: AssignmentId | None
    lead: LeadReceived | None
    touches: tuple[LeadReceived, ...]
    """Leads of the same person that have joined it, the newest twenty, the oldest of them first."""
    traceparent: str
    by_email: bool
    attempts: int
    """On this way, with this one, since the notification was written or last replayed."""
    replays: int
    age: timedelta
    """Since it was written or last replayed."""
    claimed_at: datetime

    @property
    def touch(self) -> LeadReceived | None:
        """The touch that it tells of; None: of none, or that is none any more."""
        told = self.details.get("touch")
        return next((touch for touch in self.touches if str(touch.lead_id) == told), None)


@dataclass(frozen=True)
class Room:
    """How much of what waits for an endpoint may be claimed: `attempts` of those that are due since `wait`."""

    endpoint: str
    attempts: int
    wait: timedelta = timedelta()


@dataclass(frozen=True)
class Settlement:
    """What an attempt came to. `delay` is None when there is no next one on its way."""

    id: NotificationId
    progress: Progress
    by_email: bool
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
_CANCEL_ONE = text("""
    UPDATE notifications SET state = 'cancelled', settled_at = :now WHERE key = :key AND state = 'pending'
""")
_CLAIM = """
    WITH candidates AS (
        SELECT due.id, due.place, room.wait
        FROM unnest(CAST(:endpoints AS text[]), CAST(:attempts AS integer[]), CAST(:waits AS interval[]))
            AS room (endpoint, attempts, wait)
        CROSS JOIN LATERAL (
            SELECT n.id, row_number() OVER (ORDER BY n.{due}) AS place
            FROM notifications n
            WHERE n.endpoint = room.endpoint AND {open} AND n.{due} <= now() - room.wait
                AND (
                    SELECT true FROM notifications earlier
                    WHERE earlier.lead_id = n.lead_id AND earlier.endpoint = n.endpoint
                        AND earlier.sequence < n.sequence
                        AND coalesce(earlier.settled_at, 'infinity') = 'infinity' AND {earlier_open}
                    LIMIT 1
                ) IS NULL
            ORDER BY n.{due}
            LIMIT room.attempts
        ) due
        ORDER BY due.place
        LIMIT :batch
    ),
    taken AS (
        SELECT n.id, {open} AND n.{due} <= now() - c.wait AS still_due
        FROM candidates c JOIN notifications n ON n.id = c.id
        FOR UPDATE OF n SKIP LOCKED
    )
    UPDATE notifications n SET {attempts} = {attempts} + 1, {due} = now() + CAST(:lease AS interval)
    FROM taken WHERE n.id = taken.id AND taken.still_due
    RETURNING n.id, n.type, n.endpoint, n.details, n.assignment_id,
        (SELECT l.data FROM leads l WHERE l.id = n.lead_id) AS lead,
        (
            SELECT jsonb_agg(told.data ORDER BY told.id) FROM (
                SELECT t.id, t.data FROM leads t WHERE t.joined = n.lead_id AND t.erased_at IS NULL
                ORDER BY CAST(t.id AS text) = n.details ->> 'touch' DESC NULLS LAST, t.id DESC LIMIT 20
            ) told
        ) AS touches,
        n.traceparent, n.{attempts} AS attempts, n.replays, now() - n.due_since AS age, now() AS claimed_at
"""
# The claim is a lease: until it runs out nobody else takes the row, and after that anybody may. Each endpoint gives
# from the front of its own line, so that a long one is not walked; and of one lead only the earliest that is open.
# Written so that no plan walks a line, whatever the statistics say: each search can use the index made for it and no
# other that is about what is pending. `LIMIT 1` keeps the one for earlier ones from becoming a join, and `coalesce` off
# the indexes of what is due; rows are locked by id alone; e-mails ask for `settled_at`, which is as good as the state.
_CLAIM_FOR_TOOL = text(
    _CLAIM.format(
        due="next_attempt_at",
        attempts="attempts",
        open="n.state = 'pending'",
        earlier_open="true",
    )
)
_CLAIM_FOR_EMAIL = text(
    _CLAIM.format(
        due="email_from",
        attempts="email_attempts",
        open="n.settled_at IS NULL AND n.email_state = 'unsent'",
        earlier_open="earlier.email_state = 'unsent'",
    )
)
_LOCK = text("""
    SELECT n.id, n.state, n.email_state,
        EXISTS (SELECT FROM leads l WHERE l.id = n.lead_id AND l.erased_at IS NOT NULL) AS erased
    FROM notifications n WHERE n.id = ANY(CAST(:ids AS uuid[])) ORDER BY n.id FOR UPDATE
""")
_SETTLE = text("""
    UPDATE notifications n SET
        state = given.state,
        email_state = given.email_state,
        next_attempt_at =
            CASE WHEN given.by_email THEN n.next_attempt_at ELSE coalesce(now() + given.delay, n.next_attempt_at) END,
        email_from = CASE WHEN given.by_email THEN coalesce(now() + given.delay, n.email_from) ELSE n.email_from END,
        settled_at = CASE WHEN given.state <> 'pending' THEN coalesce(n.settled_at, now()) END,
        last_status = given.status,
        last_error = given.error
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:email_states AS text[]), CAST(:by_emails AS boolean[]),
        CAST(:delays AS interval[]), CAST(:statuses AS integer[]), CAST(:errors AS text[])
    ) AS given (id, state, email_state, by_email, delay, status, error)
    WHERE n.id = given.id
""")
# Endpoints that are left alone do not come to their retries' end by attempts.
_EXPIRE = text("""
    WITH expired AS (
        SELECT n.id FROM endpoints e
        CROSS JOIN LATERAL (
            SELECT id FROM notifications
            WHERE endpoint = e.endpoint AND state = 'pending' AND next_attempt_at <= now() - CAST(:age AS interval)
            ORDER BY next_attempt_at LIMIT 1000
            FOR UPDATE SKIP LOCKED
        ) n
        WHERE e.open_until IS NOT NULL OR e.disabled_because IS NOT NULL
    )
    UPDATE notifications n SET
        state = CASE n.email_state WHEN 'sent' THEN 'delivered' ELSE 'failed' END,
        settled_at = now(),
        last_error = :reason
    FROM expired WHERE n.id = expired.id
""")
_PENDING = text("SELECT count(*) FROM notifications WHERE state = 'pending'")


async def write_notifications(connection: AsyncConnection, notifications: Sequence[NewNotification]) -> None:
    """Store what is to be sent, in one statement. Each endpoint hears of one lead in the order written.

    The caller holds the lead's row, if there is a lead.
    """
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


async def cancel_notification(connection: AsyncConnection, key: str, now: datetime) -> None:
    """What this one would tell is no longer so."""
    await connection.execute(_CANCEL_ONE, {"key": key, "now": now})


async def claim(
    connection: AsyncConnection, rooms: Sequence[Room], *, by_email: bool, batch: int, lease: timedelta
) -> list[Claimed]:
    """Take up to `batch` notifications that are due, the endpoints by turns, oldest first at each."""
    if not rooms or batch <= 0:
        return []
    rows = await connection.execute(
        _CLAIM_FOR_EMAIL if by_email else _CLAIM_FOR_TOOL,
        {
            "endpoints": [room.endpoint for room in rooms],
            "attempts": [room.attempts for room in rooms],
            "waits": [room.wait for room in rooms],
            "batch": batch,
            "lease": lease,
        },
    )
    return [
        Claimed(
            id=NotificationId(row.id),
            type=row.type,
            endpoint=row.endpoint,
            details=row.details,
            assignment_id=AssignmentId(row.assignment_id) if row.assignment_id else None,
            lead=LeadReceived.model_validate(row.lead) if row.lead else None,
            # Within an array they are not opened as they are read.
            touches=tuple(
                LeadReceived.model_validate(sealed(connection).open_document(touch)) for touch in row.touches or ()
            ),
            traceparent=row.traceparent,
            by_email=by_email,
            attempts=row.attempts,
            replays=row.replays,
            age=row.age,
            claimed_at=row.claimed_at,
        )
        for row in rows
    ]


async def lock_progress(
    connection: AsyncConnection, ids: Sequence[NotificationId]
) -> tuple[dict[NotificationId, Progress], set[NotificationId]]:
    """Where these notifications stand, and those of erased leads; nobody moves them until the transaction ends."""
    rows = (await connection.execute(_LOCK, {"ids": list(ids)})).all()
    return {row.id: Progress(row.state, row.email_state) for row in rows}, {row.id for row in rows if row.erased}


async def settle(connection: AsyncConnection, settlements: Sequence[Settlement]) -> None:
    """Store what became of attempts, in one statement. No notification may be given twice."""
    columns = {
        "ids": [each.id for each in settlements],
        "states": [each.progress.state for each in settlements],
        "email_states": [each.progress.email for each in settlements],
        "by_emails": [each.by_email for each in settlements],
        "delays": [each.delay for each in settlements],
        "statuses": [each.status for each in settlements],
        "errors": [each.error for each in settlements],
    }
    await connection.execute(_SETTLE, columns)


async def expire(connection: AsyncConnection) -> int:
    """Give up what waited too long for endpoints that are left alone; returns how many, 1000 per endpoint at most."""
    reason = f"not delivered within {GIVE_UP_AFTER}: its endpoint was left alone"
    return (await connection.execute(_EXPIRE, {"age": GIVE_UP_AFTER, "reason": reason})).rowcount


async def pending(connection: AsyncConnection) -> int:
    """How many are still to be delivered; walks all of them."""
    count: int = (await connection.execute(_PENDING)).scalar_one()
    return count
