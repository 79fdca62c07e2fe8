"""Scorecards over HTTP, as JSON and as CSV, and the leads behind each figure."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, TypeAdapter

from relance.clock import utc_now
from relance.database import Database
from relance.http.operators import OperatorOnly
from relance.http.problems import FieldFault, Problem, declared, invalid_fields
from relance.storable import STORABLE
from relance_sla_monitor.scorecards.csv_text import csv_pieces
from relance_sla_monitor.scorecards.figures import FIGURES, MARKETING, SALES
from relance_sla_monitor.scorecards.question import DIMENSIONS, Dimension, Per, Question, Side, dimensions, one_for_each
from relance_sla_monitor.scorecards.reader import ListedLead, Place, Row, Scorecards, TakesTooLong, TooManyRows
from relance_sla_monitor.scorecards.spend import FIRST_DAY, LAST_DAY

_DEFAULT_DAYS = timedelta(weeks=13)
_SALES_COLUMNS = (*SALES, "share_in_window", "response_seconds_median", "response_seconds_p90")
_MARKETING_COLUMNS = (*MARKETING, "acceptance_rate", "spent", "currency", "cost_per_accepted", "cost_per_won")

_Value = Annotated[Annotated[str, STORABLE] | None, Query(max_length=200)]
_Day = Annotated[date | None, Query(ge=FIRST_DAY, le=LAST_DAY)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = r"^\d{1,16}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.\d{1,9}$"
_CSV = "text/csv"
_LISTED = TypeAdapter(list[ListedLead])


class ScorecardRow(BaseModel):
    """One group: the values that it was grouped by, its figures by name, and where its leads are listed."""

    group: dict[Dimension, str | None]
    figures: dict[str, int | float | Decimal | str | None]
    leads: str = Field(description="A link; with `&figure=` and a figure's name it lists that figure's leads alone.")


class Scorecard(BaseModel):
    """What was asked, and a row for each group."""

    since: date
    until: date = Field(description="The first day (UTC) whose leads do not count.")
    per: Per
    rows: list[ScorecardRow]


class LeadsPage(BaseModel):
    """Leads behind a figure, in the order of receipt."""

    leads: list[ListedLead]
    next: str | None = Field(description="Where the next page is; none on the last.")


def _asked(
    *,
    since: Annotated[_Day, Query(description="First day (UTC) of receipt; 13 weeks before `until`.")] = None,
    until: Annotated[_Day, Query(description="The first day that does not count; tomorrow.")] = None,
    source: _Value = None,
    campaign: _Value = None,
    channel: _Value = None,
    team: _Value = None,
    rep: _Value = None,
    week: Annotated[str | None, Query(pattern=r"^\d{4}-W\d{2}$", description="ISO 8601, such as 2026-W48.")] = None,
    without: Annotated[list[Dimension] | None, Query(description="Leads that have none, such as no campaign.")] = None,
    per: Annotated[Per | None, Query(description="What counts as one; assignments where reps are told apart.")] = None,
) -> Question:
    until = until or utc_now().date() + timedelta(days=1)
    since = since or until - _DEFAULT_DAYS
    if since >= until:
        raise invalid_fields([FieldFault("query/until", f"must come after since, {since}")])
    values = zip(DIMENSIONS, (source, campaign, channel, team, rep, week), strict=True)
    having: dict[Dimension, str | None] = {name: value for name, value in values if value is not None}
    having |= dict.fromkeys(without or ())
    return Question(since, until, (), having, per or one_for_each((), having))


def _grouped(
    asked: Annotated[Question, Depends(_asked)],
    per: Per | None = None,
    by: Annotated[str, Query(max_length=100, description=f"Some of {', '.join(DIMENSIONS)}, with commas.")] = "",
) -> Question:
    try:
        names = dimensions(by)
    except ValueError as error:
        raise invalid_fields([FieldFault("query/by", str(error))]) from error
    return replace(asked, by=names, per=per or one_for_each(names, asked.having))


def _after(
    after: Annotated[str | None, Query(pattern=_PLACE, description="As `next` has it.")] = None,
) -> Place | None:
    if after is None:
        return None
    received, lead, ordinal = after.split(".")
    return _EPOCH + int(received) * _MICROSECOND, UUID(lead), int(ordinal)


def _written(place: Place) -> str:
    received_at, lead, ordinal = place
    return f"{(received_at - _EPOCH) // _MICROSECOND}.{lead}.{ordinal}"


def _csv_wanted(
    format: Annotated[  # noqa: A002 - the name in the query
        Literal["json", "csv"] | None, Query(description="Counts more than `Accept`.")
    ] = None,
    accept: Annotated[str, Header()] = "",
) -> bool:
    return format == "csv" or (format is None and _CSV in accept)


_AsCsv = Annotated[bool, Depends(_csv_wanted)]


def _csv_too(model: type[BaseModel]) -> dict[int | str, dict[str, object]]:
    return {200: {"model": model, "content": {_CSV: {}}}}


def scorecards_api(database: Database, operator_only: OperatorOnly) -> APIRouter:
    """`/v1/scorecards/…`."""
    router = APIRouter(
        tags=["scorecards"],
        dependencies=[Depends(operator_only)],
        responses=declared(401, 422, 503),
    )
    scorecards = Scorecards(database)

    @router.get("/v1/scorecards/sales", summary="What sales did with marketing's leads", responses=_csv_too(Scorecard))
    async def sales(question: Annotated[Question, Depends(_grouped)], csv: _AsCsv) -> Response:
        return await _answer(question, scorecards.sales, _SALES_COLUMNS, csv=csv)

    @router.get(
        "/v1/scorecards/marketing",
        summary="What marketing's leads were worth to sales",
        responses=_csv_too(Scorecard),
    )
    async def marketing(question: Annotated[Question, Depends(_grouped)], csv: _AsCsv) -> Response:
        return await _answer(question, scorecards.marketing, _MARKETING_COLUMNS, csv=csv)

    @router.get(
        "/v1/scorecards/leads",
        summary="The leads behind a figure; as CSV the next page is in the header `Link`",
        responses=_csv_too(LeadsPage),
    )
    async def leads(
        *,
        question: Annotated[Question, Depends(_asked)],
        after: Annotated[Place | None, Depends(_after)],
        csv: _AsCsv,
        figure: Annotated[str, Query(description=f"One of {', '.join(FIGURES)}.")] = "leads",
        side: Annotated[
            Side | None, Query(description="Whose scorecard; marketing's where only that has the figure.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        if figure not in FIGURES:
            raise invalid_fields([FieldFault("query/figure", f"one of {', '.join(FIGURES)}")])
        question = replace(question, side=side or ("sales" if figure in SALES else "marketing"))
        try:
            page = await scorecards.leads(question, figure, after, limit)
        except TakesTooLong as error:
            raise _too_long(question) from error
        going_on = f"{question.leads_link()}&figure={figure}&limit={limit}{'&format=csv' if csv else ''}&after="
        following = f"{going_on}{_written(page.after)}" if page.after else None
        if csv:
            rows = (list(lead.values()) for lead in _LISTED.dump_python(list(page.leads), mode="json"))
            link = {"Link": f'<{following}>; rel="next"'} if following else None
            return _csv(ListedLead.__dataclass_fields__, rows, link)
        return _json(LeadsPage(leads=list(page.leads), next=following))

    return router


async def _answer(
    question: Question,
    read: Callable[[Question], Awaitable[Sequence[Row]]],
    columns: Sequence[str],
    *,
    csv: bool,
) -> Response:
    try:
        rows = await read(question)
    except TooManyRows as error:
        raise invalid_fields([FieldFault("query/by", str(error))]) from error
    except TakesTooLong as error:
        raise _too_long(question) from error
    if csv:
        cells = (
            [*row.group.values(), *(row.figures[name] for name in columns), row.question.leads_link()] for row in rows
        )
        return _csv([*question.by, *columns, "leads_link"], cells)
    answer = Scorecard(
        since=question.since,
        until=question.until,
        per=question.per,
        rows=[
            ScorecardRow(group=dict(row.group), figures=dict(row.figures), leads=row.question.leads_link())
            for row in rows
        ],
    )
    return _json(answer)


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")


def _too_long(question: Question) -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Takes too long",
        f"The leads of {(question.until - question.since).days} days take longer to count than a report may. "
        "Ask about fewer days: bring since and until closer together.",
    )


def _csv(header: Iterable[str], rows: Iterable[Sequence[object]], headers: Mapping[str, str] | None = None) -> Response:
    pieces = csv_pieces(list(header), rows)
    return StreamingResponse(pieces, media_type=f"{_CSV}; charset=utf-8; header=present", headers=headers)
