"""Bringing what is stored to how it would be stored today: sealed with the first key, or plain without one.

It may be interrupted and begun again, and services go on meanwhile: a row that changes under it is left to them.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import text

from relance.database import Database
from relance.personal_data import PersonalData, Stored

BATCH = 500


@dataclass(frozen=True)
class SealedColumn:
    """A column that holds personal data, and the one that orders its rows, of which several may share a key."""

    table: str
    name: str
    type: Literal["text", "jsonb", "document"]
    """`document` is the JSON text of an object in a column of text."""
    key: str = "id"
    key_type: Literal["uuid", "bigint"] = "uuid"


async def count(database: Database, column: SealedColumn) -> int:
    """How many rows have something in it."""
    async with database.transaction() as connection:
        found = await connection.execute(text(f"SELECT count({column.name}) FROM {column.table}"))
        return int(found.scalar_one())


async def reseal(
    database: Database, column: SealedColumn, personal_data: PersonalData
) -> AsyncIterator[tuple[int, int]]:
    """Each batch in a transaction of its own; yields how many rows it looked at, and how many it stored anew.

    Raises:
        CannotOpen: a row is sealed with a key that was not given.
    """
    select = text(f"""
        SELECT {column.key} AS key, CAST({column.name} AS text) AS written FROM {column.table}
        WHERE {column.name} IS NOT NULL
            AND (CAST(:after AS {column.key_type}) IS NULL OR {column.key} > CAST(:after AS {column.key_type}))
        ORDER BY {column.key} FETCH FIRST {BATCH} ROWS WITH TIES
    """)
    of_type = "jsonb" if column.type == "jsonb" else "text"
    update = text(f"""
        UPDATE {column.table} SET {column.name} = CAST(given.new AS {of_type})
        FROM unnest(CAST(:keys AS {column.key_type}[]), CAST(:old AS text[]), CAST(:new AS text[]))
            AS given (key, old, new)
        WHERE {column.table}.{column.key} = given.key AND {column.name} = CAST(given.old AS {of_type})
    """)
    after: Any = None
    while True:
        async with database.transaction() as connection:
            rows = (await connection.execute(select, {"after": after})).all()
            stale = [row for row in rows if not personal_data.is_current(_stored(column, row.written))]
            if stale:
                given = {
                    "keys": [row.key for row in stale],
                    "old": [row.written for row in stale],
                    "new": [_anew(column, _stored(column, row.written), personal_data) for row in stale],
                }
                await connection.execute(update, given)
        if not rows:
            return
        after = rows[-1].key
        yield len(rows), len(stale)


def _stored(column: SealedColumn, written: str) -> Stored:
    # As text, because a database that has keys opens what is read from jsonb.
    stored: Stored = written if column.type == "text" else json.loads(written)
    return stored


def _anew(column: SealedColumn, stored: Stored, personal_data: PersonalData) -> str:
    if isinstance(stored, str) and column.type == "text":
        return personal_data.seal(personal_data.open(stored))
    return personal_data.seal_document(json.dumps(personal_data.open_document(stored), ensure_ascii=False))
