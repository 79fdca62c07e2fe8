"""Promises of scorecards: each figure is what a slow count over the same history gives, and its leads can be listed."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import MultiHostUrl
from sqlalchemy import text
from tests.assignments import assignment_made
from tests.integration.asgi import ask
from tests.integration.conftest import OpenDatabase
from tests.integration.emptying import emptying
from tests.integration.scorecard_histories import (
    BEHIND,
    START,
    History,
    Told,
    grouped,
    histories,
    marketing_figures,
    questions,
    sales_figures,
    told,
)
from tests.integration.test_board_reading import clocks
from tests.integration.test_clocks_in_database import Monitor, answered, assigned, disposed
from tests.prometheus import dashboards, panels

from relance.calendars import Calendar
from relance.database import Database
from relance.events import (
    AssignmentEnded,
    AssignmentMade,
    DispositionRecorded,
    Envelope,
    LeadErased,
    LeadJoined,
    LeadSeparated,
    LeadUnrouted,
    ResponseRecorded,
)
from relance.events.data import EventData
from relance.http import problems
from relance.ids import AssignmentId, EventId, LeadId, new_id
from relance.migrations import statements
from relance_sla_monitor.handler import ClockHandler
from relance_sla_monitor.scorecards.api import scorecards_api
from relance_sla_monitor.scorecards.question import Question, Side
from relance_sla_monitor.scorecards.reader import ListedLead, Place, Row, Scorecards
from relance_sla_monitor.scorecards.spend import Spend, put_spend

# Each example empties the tables itself.
examples = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
MARCH = Question(START.date(), START.date() + timedelta(days=30))


def envelope(data: EventData) -> Envelope:
    return Envelope(EventId(new_id()), "t", "t", datetime.now(UTC), "", data)


async def hear(database: Database, events: Sequence[Envelope]) -> None:
    async with database.transaction() as connection:
        await ClockHandler(new_id)(connection, events)


async def empty(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            text(emptying("clocks", "stops", "dispositions", "unrouted_leads", "touches", "spend"))
        )


async def rebuilt(database: Database, histories: Sequence[History], data: st.DataObject) -> Told:
    """Hear of these histories in any order, some of it twice; returns what should count."""
    await empty(database)
    everything = told(histories)
    shuffled = data.draw(st.permutations([envelope(said) for said in everything.events]))
    again = [event for event in shuffled if isinstance(event.data, DispositionRecorded | LeadJoined | LeadSeparated)]
    cut = len(shuffled) // 2
    for batch in (shuffled[:cut], shuffled[cut:], again):
        await hear(database, batch)
    return everything


async def listed(scorecards: Scorecards, question: Question, figure: str) -> list[ListedLead]:
    """Every page, of three leads each."""
    leads: list[ListedLead] = []
    after: Place | None = None
    while True:
        page = await scorecards.leads(question, figure, after, 3)
        leads += page.leads
        after = page.after
        if after is None:
            return leads


def by_group(rows: Sequence[Row]) -> dict[tuple[str | None, ...], dict[str, Any]]:
    return {tuple(row.group.values()): dict(row.figures) for row in rows}


def both(question: Question) -> tuple[Question, Question]:
    """The question about leads, and about assignments."""
    return replace(question, per="lead"), replace(question, per="assignment")


SIDES: Mapping[Side, Callable[[Scorecards, Question], Awaitable[Sequence[Row]]]] = {
    "sales": Scorecards.sales,
    "marketing": Scorecards.marketing,
}


def figures_of(question: Question, leads: Sequence[ListedLead]) -> Mapping[str, object]:
    return sales_figures(leads) if question.side == "sales" else marketing_figures(leads, question.per)


def close(expected: Mapping[str, object], found: Mapping[str, Any]) -> bool:
    return all(found[name] == (pytest.approx(value) if value is not None else None) for name, value in expected.items())


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    """The SLA monitor's tables."""
    return open_database("sla")


@given(told_of=histories, question=questions, data=st.data())
@examples
async def test_every_figure_is_what_a_count_lead_by_lead_gives(
    database: Database, told_of: list[History], question: Question, data: st.DataObject
) -> None:
    """Whatever happened, in whatever order it was heard of, and however it is grouped and narrowed down."""
    everything = await rebuilt(database, told_of, data)
    scorecards = Scorecards(database)
    for asked in both(question):
        for side in SIDES:
            of_side = replace(asked, side=side)
            expected = grouped(of_side, everything.counted(of_side))
            found = by_group(await SIDES[side](scorecards, asked))
            assert found.keys() == expected.keys()
            for group, leads in expected.items():
                figures = figures_of(of_side, leads)
                assert close(figures, found[group]), (group, figures, found[group])


@given(told_of=histories, question=questions, data=st.data())
@examples
async def test_the_leads_behind_a_row_give_its_figures(
    database: Database, told_of: list[History], question: Question, data: st.DataObject
) -> None:
    """Traceable: what the link lists is what was counted, with every time and verdict; and by figure too."""
    everything = await rebuilt(database, told_of, data)
    scorecards = Scorecards(database)
    side = data.draw(st.sampled_from(sorted(SIDES)))
    for asked in both(question):
        for row in await SIDES[side](scorecards, asked):
            expected = grouped(row.question, everything.counted(row.question))[()]
            leads = await listed(scorecards, row.question, "leads")
            assert leads == sorted(expected, key=lambda lead: (lead.received_at, lead.lead_id, lead.ordinal))
            assert close(figures_of(row.question, leads), row.figures)
            figure = data.draw(st.sampled_from(sorted(BEHIND)))
            assert await listed(scorecards, row.question, figure) == [lead for lead in leads if BEHIND[figure](lead)]


@given(
    spends=st.lists(
        st.builds(
            lambda source, campaign, begins, days, cents: Spend.model_validate({
                "source": source, "campaign": campaign, "from": START.date() + timedelta(days=begins),
                "until": START.date() + timedelta(days=begins + days), "amount": Decimal(cents) / 100,
                "currency": "EUR",
            }),
            st.sampled_from(("ads", "website")), st.sampled_from((None, "spring")), st.integers(0, 20),
            st.integers(1, 40), st.integers(0, 10**7),
        ),
        max_size=5, unique_by=lambda spend: spend.key,
    ),
    told_of=histories,
    question=questions,
    data=st.data(),
)  # fmt: skip
@examples
async def test_money_is_spread_over_days_and_divided_by_the_leads_of_these_days(
    database: Database, spends: list[Spend], told_of: list[History], question: Question, data: st.DataObject
) -> None:
    """To the cent; a group without a lead has its spend too; teams, reps and channels have none.

    What was spent on a whole source is told beside its leads without a campaign, and not divided by them.
    """
    everything = await rebuilt(database, told_of, data)
    await put_spend(database, spends)
    await put_spend(database, spends)
    rows = by_group(await Scorecards(database).marketing(question))
    spent: dict[tuple[str | None, ...], Fraction] = {}
    for spend in spends if question.has_spend else ():
        begins, ends = spend.days
        for number in range((ends - begins).days):
            day = begins + timedelta(days=number)
            properties = {
                "source": spend.source,
                "campaign": spend.campaign,
                "week": "{}-W{:02}".format(*day.isocalendar()[:2]),
            }
            if question.since <= day < question.until and all(
                properties[name] == value for name, value in question.having.items()
            ):
                group = tuple(properties[name] for name in question.by)
                spent[group] = spent.get(group, Fraction()) + Fraction(spend.amount) / (ends - begins).days
    leads = grouped(question, everything.counted(replace(question, side="marketing")))
    assert rows.keys() == spent.keys() | leads.keys()
    for group, row in rows.items():
        amount = spent.get(group)
        if amount is None:
            assert (row["spent"], row["cost_per_accepted"], row["cost_per_won"]) == (None, None, None)
            continue
        assert row["currency"] == "EUR"
        assert float(row["spent"]) == pytest.approx(float(amount), abs=0.0051)
        asked = {**question.having, **dict(zip(question.by, group, strict=True))}
        if "campaign" in asked and asked["campaign"] is None:
            assert (row["cost_per_accepted"], row["cost_per_won"]) == (None, None)
            continue
        counts = marketing_figures(leads.get(group, []))
        for name, count in (("cost_per_accepted", counts["accepted"]), ("cost_per_won", counts["won"])):
            assert isinstance(count, int)
            expected = pytest.approx(float(amount / count), abs=0.0151) if count else None
            assert (row[name] if row[name] is None else float(row[name])) == expected
    await _dashboard_says_the_same(database)


async def _dashboard_says_the_same(database: Database) -> None:
    (sql,) = [
        panel["targets"][0]["rawSql"]
        for panel in panels(dashboards()["relance-marketing.json"])
        if panel["title"] == "What they cost"
    ]
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= '{MARCH.since}' AND \1 < '{MARCH.until}'", sql)
    names = ("spent", "currency", "accepted", "won", "cost_per_accepted", "cost_per_won")
    async with database.transaction() as connection:
        await connection.execute(text("SET LOCAL timezone = 'UTC'"))
        found = (await connection.execute(text(sql.replace("$source", "'ads', 'website'")))).mappings().all()
    expected = {
        (source, campaign or "-"): tuple(figures[name] for name in names)
        for (source, campaign), figures in by_group(
            await Scorecards(database).marketing(replace(MARCH, by=("source", "campaign")))
        ).items()
        if figures["currency"]
    }
    assert {(row["source"], row["campaign"]): tuple(row[name] for name in names) for row in found} == expected


async def test_a_response_takes_the_working_time_of_each_rep_who_had_the_lead(database: Database) -> None:
    """Given on Friday evening and taken away on Monday, then answered by another after five minutes."""
    office = Calendar.model_validate(
        {"id": "office", "zone": "UTC", "hours": {"mon": "09:00-17:00", "fri": "09:00-17:00"}}
    )
    friday, monday = START + timedelta(days=4, hours=16, minutes=50), START + timedelta(days=7, hours=9, minutes=10)
    lead, first, second = LeadId(new_id()), AssignmentId(new_id()), AssignmentId(new_id())
    about = {"lead_id": lead, "team": "sales", "rule": "r", "source": "ads", "channel": "form", "campaign": None}
    terms = {"response_window": timedelta(minutes=15), "calendar": office, "escalation": (), "configuration": 1}

    def made(assignment: AssignmentId, ordinal: int, rep: str, at: datetime) -> AssignmentMade:
        who = {"assignment_id": assignment, "ordinal": ordinal, "rep": rep, "received_at": friday, "assigned_at": at}
        return AssignmentMade.model_validate({**about, **terms, **who})

    ended = {"assignment_id": first, "lead_id": lead, "rep": "anna", "reason": "reassigned", "ended_at": monday}
    answer = {"assignment_id": second, "lead_id": lead, "rep": "ben", "answer": "contacted"}
    events = [
        made(first, 1, "anna", friday),
        AssignmentEnded.model_validate(ended),
        made(second, 2, "ben", monday),
        ResponseRecorded.model_validate({**answer, "responded_at": monday + timedelta(minutes=5)}),
    ]
    await hear(database, [envelope(event) for event in events])
    (row,) = await Scorecards(database).sales(MARCH)
    assert row.figures["response_seconds_median"] == timedelta(minutes=10 + 10 + 5).total_seconds()
    assert (row.figures["in_window"], row.figures["out_of_window"]) == (0, 1)
    anna, ben = await Scorecards(database).sales(replace(MARCH, by=("rep",), per="assignment"))
    assert (anna.figures["never_answered"], ben.figures["response_seconds_median"]) == (1, 300)


async def test_spend_given_again_takes_the_place_of_what_was_given(database: Database) -> None:
    """Also where there is no campaign; and two currencies are shown, not added up."""
    month = {"source": "ads", "month": "2025-03", "currency": "EUR"}
    for amount in ("100", "310.00"):
        await put_spend(database, [Spend.model_validate({**month, "amount": amount})])
    (row,) = await Scorecards(database).marketing(MARCH)
    assert (row.figures["spent"], row.figures["currency"]) == (Decimal("290.00"), "EUR")
    await put_spend(database, [Spend.model_validate({**month, "campaign": "us", "amount": "9", "currency": "USD"})])
    (row,) = await Scorecards(database).marketing(MARCH)
    assert (row.figures["spent"], row.figures["currency"]) == (None, "EUR + USD")


async def test_what_a_whole_source_cost_is_not_divided_by_its_leads_without_a_campaign(database: Database) -> None:
    """It was spent on those of its campaigns, too."""
    for campaign, amount in ((None, "310"), ("spring", "31")):
        spend = {"source": "ads", "campaign": campaign, "month": "2025-03", "amount": amount, "currency": "EUR"}
        await put_spend(database, [Spend.model_validate(spend)])
        made = assignment_made(START, source="ads", campaign=campaign)
        await hear(database, [envelope(made), envelope(disposed(made, timedelta(minutes=1), "won"))])

    async def costs(**asked: Any) -> list[tuple[object, ...]]:
        rows = await Scorecards(database).marketing(replace(MARCH, **asked))
        return [tuple(row.figures[name] for name in ("spent", "cost_per_accepted", "cost_per_won")) for row in rows]

    of_spring, of_neither = (Decimal(29),) * 3, (Decimal(290), None, None)
    assert await costs(by=("source", "campaign")) == [of_spring, of_neither]
    assert await costs(having={"source": "ads", "campaign": None}) == [of_neither]
    assert await costs() == [(Decimal(319), Decimal("159.50"), Decimal("159.50"))]
    await _dashboard_says_the_same(database)


async def test_of_two_dispositions_in_one_batch_or_in_two_the_newer_counts(database: Database) -> None:
    """Heard of late or twice, an old one changes nothing."""
    assignment, lead = AssignmentId(new_id()), LeadId(new_id())

    def said(disposition: str, minutes: int) -> Envelope:
        recorded_at = START + timedelta(minutes=minutes)
        about = {"assignment_id": assignment, "lead_id": lead, "rep": "anna", "team": "sales", "source": "ads"}
        rest = {"channel": "form", "campaign": None, "disposition": disposition, "reason": None}
        return envelope(DispositionRecorded.model_validate({**about, **rest, "recorded_at": recorded_at}))

    accepted, won, lost = said("accepted", 1), said("won", 2), said("lost", 3)
    for batch, expected in (([won, accepted], "won"), ([accepted], "won"), ([lost, won], "lost"), ([won], "lost")):
        await hear(database, batch)
        async with database.transaction() as connection:
            assert (await connection.execute(text("SELECT disposition FROM dispositions"))).scalar_one() == expected


def test_a_month_has_its_days() -> None:
    """December ends with the year."""
    spend = Spend.model_validate({"source": "ads", "month": "2025-12", "amount": 1, "currency": "EUR"})
    assert spend.days == (date(2025, 12, 1), date(2026, 1, 1))


async def test_a_lead_that_is_erased_while_nobody_has_it_is_not_counted_as_never_answered(database: Database) -> None:
    """It had been given back in time; its window passed only after the erasure, or before it."""
    monitor = Monitor(database)
    made = [assigned(timedelta(minutes=30), window=timedelta(minutes=10)) for _ in range(2)]
    for each, erased_after in zip(made, (timedelta(minutes=5), timedelta(minutes=15)), strict=True):
        declined = answered(each, timedelta(minutes=2), "declined")
        unrouted = LeadUnrouted(
            lead_id=each.lead_id, source=each.source, channel=each.channel, campaign=None,
            received_at=each.received_at, unrouted_at=each.assigned_at + timedelta(minutes=2), reason="nobody works",
        )  # fmt: skip
        erased = LeadErased(lead_id=each.lead_id, erased_at=each.assigned_at + erased_after)
        await monitor.handle(each, declined, unrouted)
        await monitor.handle(erased)
    async with monitor.database.transaction() as connection:
        found = await connection.execute(
            text("SELECT lead_id, never_answered, in_window FROM reporting.scorecard_leads ORDER BY given_at, lead_id")
        )
        assert {row.lead_id: (row.never_answered, row.in_window) for row in found} == {
            made[0].lead_id: (False, None),
            made[1].lead_id: (True, False),
        }


_READ = text("SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables WHERE relname IN ('clocks', 'stops')")
_FLUSH = text("SELECT pg_stat_force_next_flush()")


async def test_a_page_of_leads_reads_a_page_of_leads(database: Database) -> None:
    """However many there are behind the figure: whoever turns over all pages reads each lead once, not each time."""
    await clocks(database, 5_000, age=timedelta(days=2), stopped=timedelta(days=1), by="contacted")
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE clocks"))

    async def read() -> int:
        async with database.engine.connect() as connection:
            await connection.execute(_FLUSH)
            await connection.commit()
            return int((await connection.execute(_READ)).scalar_one())

    today = datetime.now(UTC).date()
    question = Question(today - timedelta(days=90), today + timedelta(days=1))
    before = await read()
    page = await Scorecards(database).leads(question, "answered", None, 100)
    assert len(page.leads) == 100
    assert await read() - before < 2_000
    since_yesterday = replace(question, since=today - timedelta(days=1))
    assert not (await Scorecards(database).leads(since_yesterday, "answered", (START, LeadId(new_id()), 1), 100)).leads


_SLOW = """
    ALTER VIEW reporting.scorecard_leads RENAME TO scorecard_leads_as_quick;
    CREATE VIEW reporting.scorecard_leads AS
        SELECT l.* FROM (SELECT FROM pg_sleep(60)) AS s LEFT JOIN reporting.scorecard_leads_as_quick l ON true
"""


@pytest.mark.parametrize("path", ["sales", "leads"])
async def test_what_takes_too_long_to_count_says_to_ask_about_fewer_days(database: Database, path: str) -> None:
    """Trying again would end the same way; and no part is away."""
    url = database.engine.url.render_as_string(hide_password=False)
    hurried = Database(MultiHostUrl(url), schema="sla", pool_size=1, timeout=timedelta(seconds=1))
    async with database.transaction() as connection:
        for statement in statements(_SLOW):
            await connection.execute(text(statement))
    app = FastAPI()
    problems.install(app)
    app.include_router(scorecards_api(hurried, lambda: None))
    try:
        status, said = await ask(app, f"/v1/scorecards/{path}", "since=2025-03-01&until=2025-03-31")
    finally:
        await hurried.close()
    assert status == 503
    assert json.loads(said)["detail"] == (
        "The leads of 30 days take longer to count than a report may. "
        "Ask about fewer days: bring since and until closer together."
    )
