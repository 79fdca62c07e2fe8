"""What other people have sent before: the same text, or the same token, counted over all replicas."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from relance.database import Database

FORGET_EVERY = timedelta(minutes=10)

# The newest sight counts. Ordered, so that two who note the same things wait for each other instead of deadlocking.
_NOTE = text("""
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:things AS bytea[]), CAST(:people AS bytea[]), CAST(:withins AS interval[])
        ) AS given (thing, person, within)
    ),
    noted AS (
        INSERT INTO sightings (thing, person, seen_at, until)
        SELECT thing, person, now(), now() + within FROM given ORDER BY thing
        ON CONFLICT (thing, person) DO UPDATE SET seen_at = now(), until = EXCLUDED.until
    )
    SELECT thing, (
        SELECT count(*) FROM (
            SELECT FROM sightings s
            WHERE s.thing = given.thing AND s.person <> given.person AND s.seen_at > now() - given.within
            LIMIT 1000
        ) others
    ) AS others
    FROM given
""")
_FORGET = text("DELETE FROM sightings WHERE until < now()")


@dataclass(frozen=True)
class Repetitions:
    """Notes things (by their hash) with who sent them, in a table that is not logged: a crash forgets them."""

    database: Database

    async def others(self, things: Mapping[bytes, timedelta], identity_key: str) -> dict[bytes, int]:
        """How many others have sent each thing within its time; notes that this person has. One statement.

        A person stands there as a hash of who and what together, so that it says of nobody what else they sent.
        """
        if not things:
            return {}
        given = {
            "things": list(things),
            "people": [hashlib.sha256(thing + identity_key.encode()).digest()[:16] for thing in things],
            "withins": list(things.values()),
        }
        async with self.database.transaction() as connection:
            return {row.thing: row.others for row in await connection.execute(_NOTE, given)}

    async def forget(self) -> timedelta:
        """Delete what no window reaches any more; returns when to do it again."""
        async with self.database.transaction() as connection:
            await connection.execute(_FORGET)
        return FORGET_EVERY
