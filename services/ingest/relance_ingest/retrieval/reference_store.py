"""References to leads, kept from the moment they are told until the lead is committed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from relance.database import Database

_KEEP = text("""
    INSERT INTO partner_references (source, id)
    SELECT CAST(:source AS text), unnest(CAST(:ids AS text[])) ON CONFLICT DO NOTHING
""")
_CLAIM = text("""
    UPDATE partner_references SET tries = tries + 1, next_try = now() + CAST(:lease AS interval)
    WHERE (source, id) IN (
        SELECT source, id FROM partner_references WHERE next_try <= now()
        ORDER BY next_try LIMIT :most FOR UPDATE SKIP LOCKED
    )
    RETURNING source, id, tries, now() - told_at AS age
""")
_DONE = text("""
    DELETE FROM partner_references
    WHERE (source, id) IN (SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])))
""")
_POSTPONE = text("""
    UPDATE partner_references AS kept SET next_try = now() + given.wait, last_error = given.error
    FROM unnest(
        CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:waits AS interval[]), CAST(:errors AS text[])
    ) AS given (source, id, wait, error)
    WHERE kept.source = given.source AND kept.id = given.id
""")
_BACKLOG = text("""
    SELECT count(*) FILTER (WHERE next_try IS NOT NULL) AS waiting, count(*) FILTER (WHERE next_try IS NULL) AS given_up
    FROM partner_references
""")


@dataclass(frozen=True)
class Reference:
    """One lead to fetch. `tries` counts this one too."""

    source: str
    id: str
    tries: int
    age: timedelta


@dataclass(frozen=True)
class Postponed:
    """A reference that is tried again after `wait`, or never again when that is None."""

    reference: Reference
    wait: timedelta | None
    error: str


@dataclass(frozen=True)
class Backlog:
    """How many references stand there."""

    waiting: int
    given_up: int


class ReferenceStore:
    """The table of references; any number of processes may work on it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, source: str, ids: Sequence[str]) -> None:
        """Commit references; those that are there already stay as they are."""
        async with self._database.transaction() as connection:
            await connection.execute(_KEEP, {"source": source, "ids": list(ids)})

    async def claim(self, most: int, lease: timedelta) -> list[Reference]:
        """Take what is due. Whoever dies with it leaves it to others once the lease is over."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_CLAIM, {"most": most, "lease": lease})
            return [Reference(row.source, row.id, row.tries, row.age) for row in rows]

    async def settle(self, done: Sequence[Reference], postponed: Sequence[Postponed]) -> None:
        """Commit what became of them."""
        async with self._database.transaction() as connection:
            if done:
                columns = {"sources": [each.source for each in done], "ids": [each.id for each in done]}
                await connection.execute(_DONE, columns)
            if postponed:
                columns_of_postponed = {
                    "sources": [each.reference.source for each in postponed],
                    "ids": [each.reference.id for each in postponed],
                    "waits": [each.wait for each in postponed],
                    "errors": [each.error for each in postponed],
                }
                await connection.execute(_POSTPONE, columns_of_postponed)

    async def backlog(self) -> Backlog:
        """How many wait."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_BACKLOG)).one()
            return Backlog(row.waiting, row.given_up)
