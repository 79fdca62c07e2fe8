"""What marketing has spent, on which source or campaign, for which days."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from sqlalchemy import text

from relance.database import Database
from relance.http.problems import FieldFault
from relance.storable import STORABLE

# As ingest takes a lead's: without the blanks around it.
_Name = Annotated[Annotated[str, STORABLE], StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_LONGEST = timedelta(days=366)

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
"""Days outside of these are slips of the keyboard."""


class Spend(BaseModel):
    """An amount, spent evenly over a month, or over the days from `from` until before `until`.

    Given again for the same source, campaign and days, it takes the place of what was given before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: _Name
    campaign: _Name | None = Field(None, description="None: spent on the source, not on one of its campaigns.")
    month: str | None = Field(None, pattern=r"^20\d{2}-(0[1-9]|1[0-2])$", description="Such as 2026-11.")
    begins: date | None = Field(None, alias="from", ge=FIRST_DAY, le=LAST_DAY)
    ends: date | None = Field(
        None, alias="until", ge=FIRST_DAY, le=LAST_DAY, description="The first day that it was not spent for."
    )
    amount: Decimal = Field(ge=0, max_digits=14, decimal_places=2)
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")

    @model_validator(mode="after")
    def _names_its_days(self) -> "Spend":
        if (self.month is None) == (self.begins is None) or (self.begins is None) != (self.ends is None):
            raise ValueError("give either month, or from and until")
        if self.begins and self.ends and not timedelta() < self.ends - self.begins <= _LONGEST:
            raise ValueError("until must come after from, a year after it at most")
        return self

    @property
    def days(self) -> tuple[date, date]:
        """The first day, and the first day after it."""
        if self.begins and self.ends:
            return self.begins, self.ends
        year, month = (int(part) for part in (self.month or "").split("-"))
        return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)

    @property
    def key(self) -> tuple[str, str | None, date, date]:
        """What it takes the place of."""
        return (self.source, self.campaign, *self.days)


class InvalidSpend(ValueError):
    """A file that cannot be taken; says which lines and columns, and why."""

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        super().__init__("; ".join(f"line {fault.line}: {fault.pointer}: {fault.detail}" for fault in faults))
        self.faults = tuple(faults)


def read_spend(content: bytes) -> list[Spend]:
    """The lines of a CSV file (UTF-8) whose header names fields of `Spend`, in any order; an empty cell is none.

    Raises:
        InvalidSpend: nothing of it is to be taken.
    """
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        lines = [(reader.line_num, cells) for cells in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidSpend([FieldFault("", f"not CSV in UTF-8: {error}", 1)]) from error
    if ";" in (reader.fieldnames or [""])[0]:
        raise InvalidSpend([FieldFault("", "separate cells by commas, not by semicolons; amounts have a point", 1)])
    if not lines:
        raise InvalidSpend([FieldFault("", "no line below the header source,campaign,month,amount,currency", 1)])
    taken: dict[tuple[str, str | None, date, date], tuple[int, Spend]] = {}
    faults: list[FieldFault] = []
    for line, cells in lines:
        named = {column: cell for column, cell in cells.items() if column is None or cell}
        if None in named:
            faults.append(FieldFault("", "more cells than the header has", line))
            continue
        try:
            spend = Spend.model_validate(named)
        except ValidationError as error:
            faults += [FieldFault(_pointer(fault["loc"]), fault["msg"], line) for fault in error.errors()]
            continue
        earlier, _ = taken.setdefault(spend.key, (line, spend))
        if earlier != line:
            faults.append(FieldFault("", f"the same source, campaign and days as line {earlier}", line))
    if faults:
        raise InvalidSpend(faults)
    return [spend for _, spend in taken.values()]


def _pointer(location: Iterable[int | str]) -> str:
    return "/" + "/".join(str(part) for part in location)


_PUT = text("""
    INSERT INTO spend (source, campaign, begins, ends, amount, currency)
    SELECT * FROM unnest(
        CAST(:sources AS text[]), CAST(:campaigns AS text[]), CAST(:begins AS date[]), CAST(:ends AS date[]),
        CAST(:amounts AS numeric[]), CAST(:currencies AS text[])
    ) AS given (source, campaign, begins, ends, amount, currency)
    ORDER BY source, campaign, begins, ends
    ON CONFLICT (source, campaign, begins, ends) DO UPDATE
        SET amount = excluded.amount, currency = excluded.currency, recorded_at = now()
""")


class StoredSpend(BaseModel):
    """What was given, as it stands."""

    model_config = ConfigDict(frozen=True)

    id: int
    source: str
    campaign: str | None
    begins: date = Field(serialization_alias="from")
    ends: date = Field(serialization_alias="until", description="The first day that it was not spent for.")
    amount: Decimal
    currency: str
    recorded_at: datetime


_LIST = text("""
    SELECT id, source, campaign, begins, ends, amount, currency, recorded_at FROM spend
    WHERE id > :after AND (CAST(:source AS text) IS NULL OR source = :source)
    ORDER BY id LIMIT :limit
""")
_REMOVE = text("DELETE FROM spend WHERE id = :id")


async def list_spend(database: Database, source: str | None, *, after: int, limit: int) -> list[StoredSpend]:
    """At most `limit` with a greater id than `after`, of one source or all."""
    async with database.transaction() as connection:
        found = await connection.execute(_LIST, {"source": source, "after": after, "limit": limit})
        return [StoredSpend.model_validate(dict(row)) for row in found.mappings()]


async def remove_spend(database: Database, spend_id: int) -> bool:
    """Remove one; whether it was there."""
    async with database.transaction() as connection:
        return (await connection.execute(_REMOVE, {"id": spend_id})).rowcount == 1


async def put_spend(database: Database, spends: Sequence[Spend]) -> None:
    """Store them, each in the place of what was given for the same source, campaign and days. Keys must differ."""
    columns = {
        "sources": [spend.source for spend in spends],
        "campaigns": [spend.campaign for spend in spends],
        "begins": [spend.days[0] for spend in spends],
        "ends": [spend.days[1] for spend in spends],
        "amounts": [spend.amount for spend in spends],
        "currencies": [spend.currency for spend in spends],
    }
    async with database.transaction() as connection:
        await connection.execute(_PUT, columns)
