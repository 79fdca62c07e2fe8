"""Sealing what is stored anew, after the keys have changed. Restartable: what is stored as it should be stays."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import TextClause, text

from relance.database import Database
from relance.personal_data import PersonalData

_CHUNK = 500


@dataclass(frozen=True)
class _Table:
    """A page of a table's personal data by id, locked, as it is stored; and how to store it.

    Rows of one id stand apart by their place.
    """

    page: TextClause
    store: TextClause
    document: bool = False

    def anew(self, personal_data: PersonalData, stored: str) -> str | None:
        """How it is to be stored; None when it is stored so."""
        if personal_data.is_current(json.loads(stored) if self.document else stored):
            return None
        if self.document:
            return personal_data.seal_document(personal_data.open_document_text(stored))
        return personal_data.seal(personal_data.open(stored))


def _of_assignments(table: str, column: str, place: str) -> _Table:
    page = f"""
        SELECT assignment_id AS id, CAST({place} AS text) AS place, {column} AS stored FROM {table}
        WHERE {column} IS NOT NULL AND assignment_id IN (
            SELECT DISTINCT assignment_id FROM {table}
            WHERE {column} IS NOT NULL AND (CAST(:after AS uuid) IS NULL OR assignment_id > :after)
            ORDER BY assignment_id LIMIT :chunk
        )
        ORDER BY assignment_id, {place} FOR UPDATE
    """
    store = f"""
        UPDATE {table} SET {column} = given.stored
        FROM unnest(CAST(:ids AS uuid[]), CAST(:places AS text[]), CAST(:stored AS text[])) AS given (id, place, stored)
        WHERE assignment_id = given.id AND CAST({place} AS text) = given.place
    """
    return _Table(text(page), text(store))


_TABLES = {
    # An erased lead has nothing to seal. What the release before has written gets its columns before it is sealed.
    "leads": _Table(
        text("""
            SELECT id, '' AS place, CAST(data AS text) AS stored FROM leads
            WHERE erased_at IS NULL AND (CAST(:after AS uuid) IS NULL OR id > :after)
            ORDER BY id LIMIT :chunk FOR UPDATE
        """),
        text("""
            UPDATE leads SET data = CAST(given.stored AS jsonb),
                source = coalesce(source, data ->> 'source'), channel = coalesce(channel, data ->> 'channel'),
                campaign = coalesce(campaign, data ->> 'campaign'),
                received_at = coalesce(received_at, CAST(data ->> 'received_at' AS timestamptz))
            FROM unnest(CAST(:ids AS uuid[]), CAST(:places AS text[]), CAST(:stored AS text[]))
                AS given (id, place, stored)
            WHERE leads.id = given.id
        """),
        document=True,
    ),
    "answers": _of_assignments("answers", "reason", "answer"),
    "dispositions": _of_assignments("dispositions", "note", "sequence"),
}


async def seal_anew(
    database: Database, personal_data: PersonalData, on_progress: Callable[[int], None]
) -> dict[str, int]:
    """Store all personal data as it is to be stored now; returns how many rows were not, by table.

    `on_progress` hears of every page how many rows it had.

    Raises:
        CannotOpen: something is sealed with a key that is not given; what was stored anew before stays so.
    """
    return {name: await _all_of(table, database, personal_data, on_progress) for name, table in _TABLES.items()}


async def _all_of(
    table: _Table, database: Database, personal_data: PersonalData, on_progress: Callable[[int], None]
) -> int:
    changed = 0
    after: UUID | None = None
    while True:
        async with database.transaction() as connection:
            rows = (await connection.execute(table.page, {"after": after, "chunk": _CHUNK})).all()
            if not rows:
                return changed
            stored = [(row.id, row.place, table.anew(personal_data, row.stored)) for row in rows]
            news = [each for each in stored if each[2] is not None]
            if news:
                ids, places, values = zip(*news, strict=True)
                given = {"ids": list(ids), "places": list(places), "stored": list(values)}
                await connection.execute(table.store, given)
        after = rows[-1].id
        changed += len(news)
        on_progress(len(rows))
