"""Promises of what the board reads, of the real PostgreSQL."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.integration.test_clocks_in_database import Monitor, assigned
from tests.integration.test_timeline import unrouted

from relance.database import Database
from relance.ids import LeadId, new_id
from relance_sla_monitor.board.live import LiveBoard, Shown
from relance_sla_monitor.board.reading import READ, ROWS, Facts, Standing, read_facts, read_teams
from relance_sla_monitor.board.view import board

# Where it is noon or a little later: "today" began long before what the tests make, at whatever hour they run.
NOON = ZoneInfo(f"Etc/GMT{datetime.now(UTC).hour - 12:+d}")
CLOCK = """
    INSERT INTO clocks (assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at,
        started_at, response_window, deadline, risk_at, steps, stopped_at, stopped_by, traceparent, worked, holds)
    SELECT gen_random_uuid(), 'response', gen_random_uuid(), 1, 'rep' || n % 9, 'team' || n % :teams, 'website', 'form',
        NULL, now() - CAST(:age AS interval) - n * interval '1 millisecond', now() - CAST(:age AS interval),
        interval '10 minutes',
        now() - CAST(:age AS interval) + CAST(:window AS interval) + n * interval '1 millisecond',
        now() - CAST(:age AS interval) + CAST(:window AS interval) * 0.8, '[]',
        now() - CAST(:stopped AS interval), :by, '', CAST(:age AS interval) - CAST(:stopped AS interval),
        CASE WHEN :held THEN tstzmultirange(tstzrange(now(), NULL)) ELSE '{}' END
    FROM generate_series(1, :count) AS n
"""


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    """The SLA monitor's tables."""
    return open_database("sla")


async def clocks(
    database: Database,
    count: int,
    *,
    age: timedelta,
    window: timedelta = timedelta(minutes=10),
    stopped: timedelta | None = None,
    by: str | None = None,
    teams: int = 1,
    held: bool = False,
) -> None:
    """Clocks that started `age` ago and, when given, stopped `stopped` ago."""
    values = {
        "count": count, "age": age, "window": window, "stopped": stopped, "by": by, "teams": teams, "held": held,
    }  # fmt: skip
    async with database.transaction() as connection:
        await connection.execute(text(CLOCK), values)


async def plan(database: Database) -> str:
    values = {"zone": "UTC", "rows": ROWS}
    async with database.transaction() as connection:
        found = await connection.execute(text(f"EXPLAIN (FORMAT JSON) {READ.text}"), values)
        return json.dumps(found.scalar_one())


async def test_the_newest_breach_of_today_is_listed_however_many_older_leads_are_overdue(database: Database) -> None:
    """A team that left leads lying for days still sees which window passes now."""
    await clocks(database, ROWS, age=timedelta(days=3))
    await clocks(database, 1, age=timedelta(seconds=1), window=timedelta())
    shown = board(await read_facts(database, NOON), "team0", NOON)
    assert next(tile.value for tile in shown.tiles if tile.name == "breached") == "1"
    assert (len(shown.breaches), shown.more_breaches) == (1, 0)


async def test_ten_thousand_open_leads_are_read_in_one_bounded_query_by_index(database: Database) -> None:
    """Each team's most urgent, and nothing that stopped long ago is touched; what is only counted is not opened."""
    await clocks(database, 10_000, age=timedelta(minutes=1), teams=4)
    await clocks(database, 50, age=timedelta(), teams=4, held=True)
    await clocks(database, 20_000, age=timedelta(days=9), stopped=timedelta(days=8), by="contacted", teams=4)
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE clocks"))
    facts = await read_facts(database, NOON)
    assert sum(standing.open for standing in facts.standings) == 10_050
    assert len(facts.urgent) == 2 * 4 * ROWS
    assert (facts.late, facts.hours) == ((), ())
    deadlines = [lead.deadline for lead in facts.urgent if lead.deadline and not lead.on_hold]
    assert max(deadlines) - min(deadlines) <= timedelta(milliseconds=4 * ROWS)
    explained = await plan(database)
    for index in ("open_by_deadline", "by_stop", "held"):
        assert f'"Index Name": "{index}"' in explained
    assert '"Index Only Scan"' in explained
    assert "jsonb_array_elements" not in explained


async def test_each_lead_is_counted_where_it_stands(database: Database) -> None:
    """Open, at risk, overdue, on hold, kept, breached; what ends in time without an answer is neither of the last."""
    second = timedelta(seconds=1)
    await clocks(database, 1, age=timedelta(hours=1), window=timedelta(hours=10))
    await clocks(database, 2, age=timedelta(hours=9), window=timedelta(hours=10))
    await clocks(database, 3, age=second, window=timedelta())
    await clocks(database, 7, age=timedelta(minutes=9), held=True)
    await clocks(database, 4, age=second, stopped=second / 2, by="acknowledged")
    await clocks(database, 5, age=second, stopped=second / 2, by="declined", window=timedelta())
    await clocks(database, 6, age=second, stopped=second / 2, by="reassigned")
    await clocks(database, 8, age=second, stopped=second / 2, by="erased")
    assert await read_teams(database) == ["team0"]
    facts = await read_facts(database, NOON)
    assert facts.standings == (
        Standing("team0", open=13, at_risk=2, overdue=3, on_hold=7, kept_today=4, breached_today=8),
    )
    running = [lead for lead in facts.urgent if not lead.on_hold]
    assert [lead.risk_at <= facts.now for lead in running if lead.risk_at] == [True] * 5 + [False]
    assert sum(lead.on_hold for lead in facts.urgent) == 7
    assert [lead.stopped_by for lead in facts.late] == ["declined"] * 5
    for team in ("team0", None):
        # Of one hour, unless another begins in the middle of the test.
        assert sum(hour.answers for hour in facts.hours if hour.team == team) == 4
    assert {round(hour.median.total_seconds(), 3) for hour in facts.hours} == {0.5}


async def test_one_reader_serves_all_who_look_and_rests_when_nobody_does() -> None:
    """Two viewers see the same reading; without viewers nothing is read."""
    reads = 0

    async def read() -> Facts:
        nonlocal reads
        reads += 1
        return Facts(datetime.now(UTC), (), (), (), (), ())

    live = LiveBoard(read, lambda _facts, team: Shown(f"{team}-{reads}", ""))
    running = asyncio.create_task(live.run())
    streams: list[Any] = [live.updates(team, None, lambda: False) for team in (None, "sales")]
    first = [(await anext(stream)).id for stream in streams]
    assert first == ["None-1", "sales-1"]
    live.nudge()
    assert [(await anext(stream)).id for stream in streams] == [f"None-{reads}", f"sales-{reads}"]
    for stream in streams:
        await stream.aclose()
    assert live.viewers == 0
    assert await live.turn() > timedelta(minutes=1)
    live.request_stop()
    assert [update async for update in live.updates(None, None, lambda: False)] == []
    await running


async def test_a_lead_waits_from_when_nobody_could_be_found_until_somebody_has_it(database: Database) -> None:
    """Also one that was given back; whatever the order in a batch, with the team that had it or could not take it."""
    monitor = Monitor(database)
    made = assigned(timedelta(minutes=9))
    fresh, back = LeadId(new_id()), made.lead_id
    never = unrouted(fresh)
    await monitor.handle(unrouted(back), made)
    of_north = unrouted(LeadId(new_id())).model_copy(update={"team": "north"})
    await monitor.handle(never, of_north)
    assert {(each.team, each.leads) for each in (await read_facts(database, NOON)).waiting} == {
        ("sales", 1),
        ("north", 1),
        (None, 1),
    }
    (of_nobody,) = [each for each in (await read_facts(database, NOON)).waiting if each.team is None]
    assert of_nobody.since == never.unrouted_at
    for each in (fresh, of_north.lead_id):
        await monitor.handle(assigned(timedelta()).model_copy(update={"lead_id": each}))
    await monitor.handle(assigned(timedelta()).model_copy(update={"lead_id": back, "ordinal": 2}))
    assert (await read_facts(database, NOON)).waiting == ()
    await monitor.handle(never)
    assert (await read_facts(database, NOON)).waiting == ()
