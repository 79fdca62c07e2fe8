"""Scorecards out of the database: counted over raw rows, each time anew."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance_sla_monitor.scorecards.figures import FIGURES, MARKETING, SALES, SUBMISSIONS, cents, cost_of_one, share
from relance_sla_monitor.scorecards.question import DIMENSIONS, Dimension, Question

MOST_ROWS = 10_000
"""Groups in one answer."""


class TooManyRows(ValueError):
    """The question has more groups than one answer holds."""


class TakesTooLong(TimeoutError):
    """The question took longer to answer than a statement may."""


@dataclass(frozen=True)
class Row:
    """One group with its figures, by name; None for what cannot be told. `question` finds its leads."""

    group: Mapping[Dimension, str | None]
    figures: Mapping[str, int | float | Decimal | str | None]
    question: Question


@dataclass(frozen=True)
class ListedLead:
    """One lead, or one assignment of it, with everything that figures are made of. Times are aware, in UTC."""

    lead_id: UUID
    ordinal: int
    assignment_id: UUID | None
    source: str
    campaign: str | None
    channel: str
    team: str | None
    rep: str | None
    week: str
    received_at: datetime
    given_at: datetime | None
    deadline: datetime | None
    answered_at: datetime | None
    response_seconds: float | None
    in_window: bool | None
    never_answered: bool
    declined: bool
    reassigned: bool
    extended: bool
    disposition: str | None
    disposition_reason: str | None
    disposed_at: datetime | None
    joined: UUID | None = None
    """The lead as which it counts, where it is a touch; what was said is of that one."""


Place = tuple[datetime, UUID, int]
"""Where a lead, or an assignment of it, stands in a list: when it was received, its lead's id, its ordinal."""


@dataclass(frozen=True)
class Page:
    """Some leads, and after which one the next page begins; None on the last."""

    leads: Sequence[ListedLead]
    after: Place | None


_NO_LEAD = UUID(int=0)
_LAST_ORDINAL = 2**31 - 1
_GROWTH = 8
_NEXT_OF = """(
    SELECT received_at, lead_id FROM {}
    WHERE received_at >= :since AND received_at < :until AND (received_at, lead_id) > (:since, :after_lead)
    ORDER BY received_at, lead_id LIMIT :leads
)"""
_NEXT = " UNION ALL ".join(
    _NEXT_OF.format(those)
    for those in ("(SELECT * FROM clocks WHERE clock = 'response') AS given", "unrouted_leads", "touches")
)
# Up to where there are so many leads, whatever becomes of them; each kind by its index.
_REACH = text(
    f"SELECT received_at, lead_id FROM ({_NEXT}) AS next ORDER BY received_at, lead_id OFFSET :leads - 1 LIMIT 1"
)
# Planned for the days asked about, not for any; compiled code takes longer to make than it saves.
_PLANNED = text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)")
_COLUMNS = ", ".join(ListedLead.__dataclass_fields__)


class Scorecards:
    """Reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sales(self, question: Question) -> list[Row]:
        """What sales did with the leads, by group.

        Raises:
            TooManyRows: there are more groups than one answer holds.
            TakesTooLong: it did.
        """
        question = replace(question, side="sales")
        conditions, values = _conditions(question)
        sql = f"""
            SELECT {_grouped(question)} {_counts(SALES, "lead_id")},
                percentile_cont(0.5) WITHIN GROUP (ORDER BY response_seconds) AS response_seconds_median,
                percentile_cont(0.9) WITHIN GROUP (ORDER BY response_seconds) AS response_seconds_p90
            FROM {question.rows} WHERE {conditions} {_by(question)}
        """
        return [
            _row(question, found, SALES, {
                "response_seconds_median": found["response_seconds_median"],
                "response_seconds_p90": found["response_seconds_p90"],
                "share_in_window": share(found["in_window"], found["out_of_window"]),
            })
            for found in await self._groups(sql, values)
        ]  # fmt: skip

    async def marketing(self, question: Question) -> list[Row]:
        """What the leads were worth, by group; and what they cost, where the question allows to tell.

        Raises:
            TooManyRows: there are more groups than one answer holds.
            TakesTooLong: it did.
        """
        question = replace(question, side="marketing")
        conditions, values = _conditions(question)
        spent = _conditions(question, day="day")[0] if question.has_spend else "false"
        absent = ", ".join(f"CAST(NULL AS text) AS {name}" for name in ("channel", "team", "rep"))
        sql = f"""
            SELECT {_grouped(question)} {_counts(MARKETING, question.one)}, sum(amount) AS spent,
                string_agg(DISTINCT currency, ' + ' ORDER BY currency) AS currency
            FROM (
                SELECT lead_id, joined, {", ".join(DIMENSIONS)}, disposition, disposition_reason,
                    CAST(NULL AS numeric) AS amount, CAST(NULL AS text) AS currency
                FROM {question.rows} WHERE {conditions}
                UNION ALL
                SELECT NULL, NULL, {", ".join(DIMENSIONS)}, NULL, NULL, amount, currency
                FROM (SELECT *, {absent} FROM reporting.spend_days) AS spend_days WHERE {spent}
            ) AS facts {_by(question)}
        """
        return [_row(question, found, MARKETING, _worth(question, found)) for found in await self._groups(sql, values)]

    async def leads(self, question: Question, figure: str, after: Place | None, limit: int) -> Page:
        """The leads behind a figure, in the order of receipt.

        What joined the same lead counts once with it, and each is listed. Read are the next few leads, and more each
        time while the page is not full: it takes as long as what it passes over, wherever it is.

        Raises:
            TakesTooLong: it did.
        """
        conditions, values = _conditions(question)
        # The planner guesses from plain bounds how much lies between two places.
        sql = f"""
            SELECT {_COLUMNS} FROM {question.rows} WHERE {conditions} AND ({FIGURES[figure]})
                AND received_at <= :reach AND (received_at, lead_id) <= (:reach, :reach_lead)
                AND (received_at, lead_id, ordinal) > (:since, :after_lead, :after_ordinal)
            ORDER BY received_at, lead_id, ordinal LIMIT :limit
        """
        start, end = (_midnight(question.since), _NO_LEAD, 0), (_midnight(question.until), _NO_LEAD)
        place = max(start, after or start)
        listed: list[ListedLead] = []
        leads = 2 * limit
        async with self._reading() as connection:
            while len(listed) <= limit and place[:2] != end:
                values |= dict(zip(("since", "after_lead", "after_ordinal"), place, strict=True))
                found = (await connection.execute(_REACH, {**values, "leads": leads})).one_or_none()
                reach, reach_lead = found or end
                wanted = {"reach": reach, "reach_lead": reach_lead, "limit": limit + 1 - len(listed)}
                rows = (await connection.execute(text(sql), {**values, **wanted})).mappings()
                listed += [ListedLead(**row) for row in rows]
                place, leads = (reach, reach_lead, _LAST_ORDINAL), leads * _GROWTH
        page = listed[:limit]
        return Page(page, (page[-1].received_at, page[-1].lead_id, page[-1].ordinal) if len(listed) > limit else None)

    async def _groups(self, sql: str, values: Mapping[str, object]) -> Sequence[RowMapping]:
        async with self._reading() as connection:
            found = (await connection.execute(text(sql), {**values, "most": MOST_ROWS + 1})).mappings().all()
        if len(found) > MOST_ROWS:
            raise TooManyRows(f"more than {MOST_ROWS} rows: group by less, or ask about fewer days")
        return found

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.transaction() as connection:
            await connection.execute(_PLANNED)
            try:
                yield connection
            except TimeoutError as error:
                raise TakesTooLong from error


def _conditions(question: Question, day: str | None = None) -> tuple[str, dict[str, object]]:
    """SQL that picks what is asked about, with its values; `day` is the column with a date, else `received_at`."""
    since, until = question.since, question.until
    conditions = [f"{day} >= :since_day AND {day} < :until_day" if day else "received_at >= :since"]
    conditions += [] if day else ["received_at < :until"]
    conditions += [
        f"{name} IS NULL" if value is None else f"{name} = :{name}" for name, value in question.having.items()
    ]
    values: dict[str, object] = {name: value for name, value in question.having.items() if value is not None}
    values |= {"since": _midnight(since), "until": _midnight(until), "since_day": since, "until_day": until}
    return " AND ".join(conditions), values


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _grouped(question: Question) -> str:
    return "".join(f"{name}, " for name in question.by)


def _counts(figures: Mapping[str, str], one: str) -> str:
    return ", ".join(
        f"count({'lead_id' if name in SUBMISSIONS else one}) FILTER (WHERE {condition}) AS {name}"
        for name, condition in figures.items()
    )


def _by(question: Question) -> str:
    names = ", ".join(question.by)
    return f"GROUP BY ({names}) ORDER BY {names} LIMIT :most" if names else "LIMIT :most"


def _row(
    question: Question,
    found: RowMapping,
    counted: Mapping[str, str],
    worked_out: Mapping[str, float | Decimal | str | None],
) -> Row:
    group = _group(question, found)
    return Row(group, {**{name: found[name] for name in counted}, **worked_out}, question.of_group(group))


def _group(question: Question, found: RowMapping) -> dict[Dimension, str | None]:
    return {name: found[name] for name in question.by}


def _worth(question: Question, found: RowMapping) -> dict[str, float | Decimal | str | None]:
    currency: str | None = found["currency"]
    # Amounts in two currencies are not added up.
    spent: Decimal | None = None if currency is None or " + " in currency else cents(found["spent"])
    divided = spent if question.of_group(_group(question, found)).has_cost else None
    return {
        "acceptance_rate": share(found["accepted"], found["rejected"]),
        "spent": spent,
        "currency": currency,
        "cost_per_accepted": cost_of_one(divided, found["accepted"]),
        "cost_per_won": cost_of_one(divided, found["won"]),
    }
