"""Every attempt, as a row that operators read. Written with the outcome; without personal data."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance.ids import NotificationId
from relance_router.deliveries.couriers import Attempt
from relance_router.deliveries.notifications import Claimed

LONGEST = 500
"""Characters kept of an error and of a response."""
SHORTEST_PERSONAL = 3
"""Characters of what is taken out of a response."""

_WRITE = text("""
    INSERT INTO delivery_attempts (notification_id, replay, way, attempt, at, status, error, seconds, response)
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:replays AS integer[]), CAST(:ways AS text[]), CAST(:attempts AS integer[]),
        CAST(:ats AS timestamptz[]), CAST(:statuses AS integer[]), CAST(:errors AS text[]),
        CAST(:seconds AS double precision[]), CAST(:responses AS text[])
    )
    ON CONFLICT DO NOTHING
""")

REMEMBER = timedelta(days=90)
FORGET_EVERY = timedelta(hours=1)
_FORGET = text("DELETE FROM delivery_attempts WHERE at < now() - CAST(:age AS interval)")


@dataclass(frozen=True)
class LoggedAttempt:
    """An attempt and how long it took."""

    notification: Claimed
    attempt: Attempt
    seconds: float


async def forget(database: Database) -> timedelta:
    """Forget old attempts; returns when to do so next."""
    async with database.transaction() as connection:
        await connection.execute(_FORGET, {"age": REMEMBER})
    return FORGET_EVERY


async def write_attempts(
    connection: AsyncConnection, attempts: Sequence[LoggedAttempt], erased: Collection[NotificationId]
) -> None:
    """Store attempts, in one statement; those of leads that were erased meanwhile without words."""
    columns = {
        "ids": [each.notification.id for each in attempts],
        "replays": [each.notification.replays for each in attempts],
        "ways": [each.attempt.way for each in attempts],
        "attempts": [each.notification.attempts for each in attempts],
        "ats": [each.notification.claimed_at for each in attempts],
        "statuses": [each.attempt.outcome.status for each in attempts],
        "errors": [loggable(each.attempt.outcome.error, each.notification, erased) for each in attempts],
        "seconds": [each.seconds for each in attempts],
        "responses": [loggable(each.attempt.outcome.response, each.notification, erased) for each in attempts],
    }
    await connection.execute(_WRITE, columns)


def loggable(said: str | None, notification: Claimed, erased: Collection[NotificationId] = ()) -> str | None:
    """What somebody else said, fit to be kept: storable, short, and without what it echoes of the lead's person.

    Tools like to answer with what they were sent. Every value of the contact and of the submitted fields is taken out,
    wherever it stands, as it was sent. Of a lead that was erased meanwhile nothing is kept.
    """
    if said is None or notification.id in erased:
        return None
    kept = said.replace("\x00", "")
    leads = [notification.lead, *notification.touches] if notification.lead else []
    submitted = [
        value
        for lead in leads
        for value in (*lead.contact.model_dump(exclude_none=True).values(), *lead.fields.values())
    ]
    # What is shorter names nobody, and stands in half of all words.
    personal = {value for value in submitted if len(value) >= SHORTEST_PERSONAL}
    for value in sorted(personal, key=len, reverse=True):
        for written in (value, json.dumps(value)[1:-1]):
            kept = kept.replace(written, "[removed]")
    return kept[:LONGEST]
