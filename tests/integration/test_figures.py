"""Promises of the business figures: right after a restart, cheap however much is over, bounded in their labels."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from prometheus_client.core import Metric
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.integration.test_clocks_in_database import Monitor, answered, assigned, envelopes, terms

from relance.events import AssignmentEnded, EscalationStep, Hold
from relance.ids import new_id
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_sla_monitor import figures
from relance_sla_monitor.figures import CAMPAIGNS, OTHER, Figures, count, families

MINUTES = timedelta(minutes=1)
FILL = text("""
    INSERT INTO clocks (assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at,
        started_at, response_window, deadline, steps, stopped_at, stopped_by, worked, traceparent)
    SELECT gen_random_uuid(), 'response', gen_random_uuid(), 1, 'anna', 'sales', 'website', 'form', 'c' || n % 3,
        now() - interval '1 day', now() - interval '1 day', interval '10 minutes',
        now() + interval '1 minute' * CASE WHEN n <= :overdue OR n > :open THEN -1430 ELSE 60 END,
        '[]', CASE WHEN n > :open THEN now() - interval '1435 minutes' END, CASE WHEN n > :open THEN 'contacted' END,
        CASE WHEN n > :open THEN interval '5 minutes' END, ''
    FROM generate_series(CAST(:first AS integer), :first + 9999) n
""")
READ = text("""
    SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname IN ('clocks', 'steps')
""")
READ_TALLIES = text("""
    SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname = 'tallies'
""")


@pytest.fixture
def monitor(open_database: OpenDatabase) -> Monitor:
    """One monitor."""
    return Monitor(open_database("sla"))


def numbers(metrics: Iterable[Metric], **labels: str) -> dict[str, float]:
    """Samples with these labels, by name and whatever other labels tell them apart."""
    found: dict[str, float] = {}
    for sample in (
        sample for metric in metrics for sample in metric.samples if labels.items() <= sample.labels.items()
    ):
        told = [sample.labels[key] for key in ("state", "action", "le") if key in sample.labels]
        key = " ".join([sample.name.removeprefix("relance_sla_"), *told])
        found[key] = found.get(key, 0) + sample.value
    return found


async def counted(monitor: Monitor) -> dict[str, float]:
    """What a monitor that has just started publishes."""
    figures = Figures(monitor.database, MINUTES)
    await figures.count()
    return numbers(figures.collect(), team="sales")


async def test_every_clock_is_counted_once_by_how_it_went(monitor: Monitor) -> None:
    """Kept, late, reassigned, erased, overdue, at risk, in time; each replica and each restart says the same."""
    in_time, late, passed_on, erased, erased_late, overdue, fresh = (
        assigned(ago * MINUTES) for ago in (5, 15, 5, 5, 15, 12, 0)
    )
    await monitor.handle(in_time, late, passed_on, erased, erased_late, overdue, fresh)
    await monitor.timers.fire_due()
    await monitor.handle(answered(in_time, 2 * MINUTES), answered(late, 13 * MINUTES))
    ends = ((passed_on, "reassigned", 1), (erased, "erased", 1), (erased_late, "erased", 13))
    await monitor.handle(
        *(
            AssignmentEnded.model_validate({
                "assignment_id": made.assignment_id, "lead_id": made.lead_id, "rep": "anna", "reason": reason,
                "ended_at": made.assigned_at + after * MINUTES,
            })
            for made, reason, after in ends
        )
    )  # fmt: skip
    found = await counted(monitor)
    assert found == await counted(monitor)
    # What may come is counted from nought: `rate` would not see the first of a series that begins with it.
    assert found["steps_total reassign"] == 0
    expected = {
        "clocks_started_total": 7, "windows_kept_total": 1, "windows_breached_total": 3, "breaches_withdrawn_total": 0,
        "open in_time": 1, "open at_risk": 0, "open breached": 1,
        "steps_total remind_rep": 6, "steps_total breach": 3,
        "response_seconds_bucket 60": 0, "response_seconds_bucket 120": 1, "response_seconds_bucket 900": 2,
        "response_seconds_count": 2, "response_seconds_sum": 15 * 60,
        "response_window_ratio_bucket 0.25": 1, "response_window_ratio_bucket 1.25": 1,
        "response_window_ratio_bucket 1.5": 2,
    }  # fmt: skip
    assert {key: found.get(key) for key in expected} == expected


async def test_what_goes_on_with_the_rep_of_another_team_is_counted_from_nought(monitor: Monitor) -> None:
    """Its policy may not have that step, and `rate` would not see the first."""
    taken = EscalationStep(name="next", action="reassign", window_fraction=1, delay=timedelta())
    head = EscalationStep(name="head", action="notify", window_fraction=1, delay=60 * MINUTES, to=("head",))
    first, second = assigned(15 * MINUTES, escalation=(taken, head)), assigned(timedelta(), escalation=())
    second = second.model_copy(update={"lead_id": first.lead_id, "ordinal": 2, "team": "inside"})
    ended = AssignmentEnded(
        assignment_id=first.assignment_id, lead_id=first.lead_id, rep="anna", reason="reassigned",
        ended_at=second.assigned_at,
    )  # fmt: skip
    await monitor.handle(first, ended, second)
    async with monitor.database.transaction() as connection:
        found = numbers(families(await count(connection)), team="inside")
    assert found["steps_total notify"] == 0


async def test_a_withdrawn_breach_takes_no_counter_back(monitor: Monitor) -> None:
    """To Prometheus a falling counter is one that began anew, and everything in it has happened again."""
    made = assigned(15 * MINUTES)
    await monitor.handle(made)
    before = await counted(monitor)
    await monitor.handle(answered(made, 2 * MINUTES))
    after = await counted(monitor)
    counters = [key for key in before if "_total" in key or "_bucket" in key]
    assert [key for key in counters if after[key] < before[key]] == []
    names = ("windows_breached_total", "breaches_withdrawn_total", "windows_kept_total", "open breached")
    assert [before[name] for name in names] == [1, 0, 0, 1]
    assert [after[name] for name in names] == [1, 1, 1, 0]


async def test_a_hold_that_is_heard_of_after_the_answer_corrects_the_clock_and_takes_no_histogram_back(
    monitor: Monitor,
) -> None:
    """A monitor that was away reads topics in any order; histograms keep what was first known of an answer."""
    made = assigned(50 * MINUTES, window=60 * MINUTES)
    held = Hold(since=made.assigned_at + 10 * MINUTES, until=made.assigned_at + 30 * MINUTES)
    await monitor.handle(made, answered(made, 40 * MINUTES))
    before = await counted(monitor)
    await monitor.handle(terms(made, 1, "released", holds=(held,), changed_at=held.until))
    (clock,) = await monitor.rows("SELECT worked FROM clocks")
    assert clock["worked"] == 20 * MINUTES
    histograms = {key: amount for key, amount in (await counted(monitor)).items() if key.startswith("response_")}
    assert histograms == {key: before[key] for key in histograms}
    assert histograms["response_seconds_sum"] == 40 * 60


async def test_a_window_that_was_not_kept_after_all_takes_no_counter_back(monitor: Monitor) -> None:
    """Somebody else had the lead by then, as is heard of later; what had counted as kept stays."""
    made = assigned(8 * MINUTES)
    await monitor.handle(made, answered(made, 5 * MINUTES))
    before = await counted(monitor)
    ended = {"assignment_id": made.assignment_id, "lead_id": made.lead_id, "rep": "anna", "reason": "declined"}
    await monitor.handle(AssignmentEnded.model_validate({**ended, "ended_at": made.assigned_at + 3 * MINUTES}))
    after = await counted(monitor)
    counters = [key for key in before if "_total" in key or "_bucket" in key]
    assert [key for key in counters if after[key] < before[key]] == []
    assert before["windows_kept_total"] == 1


async def test_clocks_that_are_overdue_for_long_are_read_once(monitor: Monitor) -> None:
    """Of 100 000 clocks half have stopped and half run, 20 of them long overdue: a count reads none of them again.

    What becomes of them is counted all the same, and so is what comes late.
    """
    for first in range(1, 100_000, 10_000):
        async with monitor.database.transaction() as connection:
            await connection.execute(FILL, {"first": first, "open": 50_000, "overdue": 20})
    async with monitor.database.transaction() as connection:
        await connection.execute(text("ANALYZE clocks"))
        unnoted = numbers(families(await count(connection)), team="sales")
    before = await counted(monitor)
    overdue = [assigned(timedelta(minutes=12)) for _ in range(3)]
    await monitor.handle(*overdue)
    async with monitor.database.transaction() as connection:
        # What this connection has just read may be in this number too.
        read = (await connection.execute(READ)).scalar_one()
        again = numbers(families(await count(connection)), team="sales")
        assert (await connection.execute(READ)).scalar_one() - read <= 2 * len(overdue)
    assert unnoted == before
    names = ("clocks_started_total", "windows_kept_total", "open in_time", "open at_risk", "open breached")
    assert [before[name] for name in names] == [100_000, 50_000, 49_980, 0, 20]
    assert [again[name] for name in names] == [100_003, 50_000, 49_980, 0, 23]
    late = assigned(timedelta(days=2))
    await monitor.handle(late)
    await monitor.rows(
        "UPDATE clocks SET stopped_at = now(), stopped_by = 'contacted', worked = '1 day' WHERE assignment_id IN ("
        "SELECT assignment_id FROM clocks WHERE stopped_at IS NULL ORDER BY deadline LIMIT 5) RETURNING 1"
    )
    after = await counted(monitor)
    assert (after["open breached"], after["windows_breached_total"]) == (24 - 5, 24)


async def test_a_clock_at_risk_counts_once_until_it_is_answered_or_late(monitor: Monitor) -> None:
    """However many steps of its policy say so."""
    policy = tuple(
        EscalationStep(name=name, action=action, window_fraction=at, delay=timedelta())
        for name, action, at in (
            ("a", "at_risk", 0.1),
            ("b", "at_risk", 0.2),
            ("c", "at_risk", 0.5),
            ("d", "breach", 1),
        )
    )
    risky, answered_since, late, fresh, long, longer = (
        assigned(ago * MINUTES).model_copy(update={"escalation": policy}) for ago in (3, 3, 12, 0, 180, 240)
    )
    await monitor.handle(risky, answered_since, late, fresh, long, longer)
    # Before and after it is noted that they are long overdue.
    await counted(monitor)
    await monitor.timers.fire_due()
    await monitor.handle(long.model_copy(update={"assignment_id": new_id(), "lead_id": new_id()}))
    await monitor.handle(answered(answered_since, 3 * MINUTES))
    for standing in ([1, 1, 4], [1, 1, 3], [1, 1, 2]):
        found = await counted(monitor)
        assert [found[f"open {state}"] for state in ("in_time", "at_risk", "breached")] == standing
        assert found["windows_breached_total"] == 4
        await monitor.handle(answered(long if standing[2] == 4 else longer, 200 * MINUTES))


async def test_whoever_names_campaigns_makes_no_more_series_than_the_limit_and_new_ones_take_the_place_of_quiet_ones(
    monitor: Monitor,
) -> None:
    """What counts among others stays there, and nothing falls: Prometheus would take it for a restart."""

    async def heard_of(*campaigns: str) -> dict[str, float]:
        """Clocks started, by the label of their campaign."""
        await monitor.handle(
            *(assigned(timedelta()).model_copy(update={"campaign": each or None}) for each in campaigns)
        )
        async with monitor.database.transaction() as connection:
            found = families(await count(connection))
        started = next(metric for metric in found if metric.name == "relance_sla_clocks_started")
        return {sample.labels["campaign"]: sample.value for sample in started.samples}

    named = [f"c{n:02}" for n in range(CAMPAIGNS + 5)]
    first = await heard_of("", *named[:CAMPAIGNS])
    assert first == dict.fromkeys(["", *named[:CAMPAIGNS]], 1)
    assert await heard_of(*named[CAMPAIGNS:]) == {**first, OTHER: 5}
    async with monitor.database.transaction() as connection:
        await connection.execute(text("UPDATE campaigns SET active_at = now() - interval '31 days'"))
    assert await heard_of() == {"": 1, OTHER: 5}
    assert await heard_of("spring", "c07", named[-1]) == {"": 1, OTHER: 6, "spring": 1, "c07": 1}
    # Who comes back when there is no room counts among others, from then on.
    others = [f"d{n:02}" for n in range(CAMPAIGNS - 2)]
    full = {"": 1, OTHER: 6, "spring": 1, "c07": 1, **dict.fromkeys(others, 1)}
    assert await heard_of(*others) == full
    assert await heard_of("c08", "c07") == {**full, OTHER: 7, "c07": 2}


async def test_a_count_costs_the_same_however_many_campaigns_were_ever_named(monitor: Monitor) -> None:
    """Whoever posts leads names campaigns: what has no series of its own is kept as what it is published as."""

    async def read_with(names: range) -> int:
        """How many rows a count reads once these have been named too."""
        await monitor.handle(*(assigned(timedelta()).model_copy(update={"campaign": f"c{n}"}) for n in names))
        await counted(monitor)
        async with monitor.database.transaction() as connection:
            # What this connection has just read may be in this number too.
            before = (await connection.execute(READ_TALLIES)).scalar_one()
            await count(connection)
            return int((await connection.execute(READ_TALLIES)).scalar_one() - before)

    few = await read_with(range(2 * CAMPAIGNS))
    assert await read_with(range(2 * CAMPAIGNS, 6 * CAMPAIGNS)) < 2 * few
    await monitor.rows("UPDATE campaigns SET active_at = now() - interval '31 days' RETURNING 1")
    await counted(monitor)
    by_campaign = await monitor.rows("SELECT campaign, amount FROM tallies WHERE what = 'started' ORDER BY campaign")
    assert [tuple(row.values()) for row in by_campaign] == [(OTHER, 5 * CAMPAIGNS), (None, CAMPAIGNS)]


async def test_a_campaign_that_only_a_replica_of_the_release_before_has_counted_has_its_series(
    monitor: Monitor,
) -> None:
    """While a release is rolled out that replica adds up notes and lists nothing; who came first takes the place."""
    named = [f"c{n:02}" for n in range(CAMPAIGNS + 1)]
    for some in (named[:CAMPAIGNS], named[CAMPAIGNS:]):
        await monitor.handle(*(assigned(timedelta()).model_copy(update={"campaign": each}) for each in some))
    await counted(monitor)
    await monitor.rows("DELETE FROM campaigns RETURNING 1")
    for _ in range(2):
        async with monitor.database.transaction() as connection:
            found = families(await count(connection))
        started = next(metric for metric in found if metric.name == "relance_sla_clocks_started")
        assert {sample.labels["campaign"]: sample.value for sample in started.samples} == {
            **dict.fromkeys(named[:CAMPAIGNS], 1), OTHER: 1,
        }  # fmt: skip


async def test_who_is_long_overdue_is_not_noted_while_somebody_is_at_it(
    monitor: Monitor, open_database: OpenDatabase
) -> None:
    """Whoever changes a clock would not know that it is noted, and it would be overdue for ever."""
    made, other = assigned(180 * MINUTES), assigned(180 * MINUTES)
    await monitor.handle(made, other)
    async with Monitor(open_database("sla")).database.transaction() as connection:
        await monitor.handler(connection, envelopes(answered(made, 170 * MINUTES)))
        assert (await counted(monitor))["open breached"] == 2
        assert await monitor.rows("SELECT * FROM overdue_counted") == []
    found = await counted(monitor)
    assert (found["open breached"], found["windows_breached_total"]) == (1, 2)
    assert len(await monitor.rows("SELECT * FROM overdue_counted")) == 1


@pytest.mark.parametrize("counted_meanwhile", [True, False])
async def test_an_answer_that_is_committed_after_the_deadline_takes_no_breach_back(
    monitor: Monitor, open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch, counted_meanwhile: bool
) -> None:
    """It came in time, and its transaction ended too late: a counter that falls would look like a restart."""
    # It counts when the deadline has passed, and the answer is handled before: neither has to be quick.
    monkeypatch.setattr(figures, "_NOW", text("SELECT clock_timestamp() + interval '1 hour'"))
    late, made = assigned(timedelta(hours=1)), assigned(timedelta())
    await monitor.handle(late, made)
    async with Monitor(open_database("sla")).database.transaction() as connection:
        await monitor.handler(connection, envelopes(answered(made, timedelta(seconds=0.1))))
        before = await counted(monitor) if counted_meanwhile else {}
    after = await counted(monitor)
    assert before.get("windows_breached_total", 1) == after["windows_breached_total"] == 1
    assert after["windows_kept_total"] == 1


async def test_whoever_only_reads_keeps_no_breach_from_being_counted_and_takes_none_back_who_writes_then(
    monitor: Monitor, real_parts: tuple[DatabaseServer, Broker], database: str
) -> None:
    """A psql that was left open in a transaction, a dump: neither has noted anything of a clock."""
    reader = await real_parts[0].connect(database, "sla")
    try:
        await reader.execute("BEGIN")
        await reader.execute("SELECT count(*) FROM sla.clocks")
        made = assigned(timedelta(), window=timedelta(milliseconds=1))
        await monitor.handle(made)
        assert (await counted(monitor))["windows_breached_total"] == 1
        # In a savepoint, whose writes are the transaction's.
        await reader.execute("SAVEPOINT s; UPDATE sla.clocks SET rep = rep")
        assert (await counted(monitor))["windows_breached_total"] == 1
    finally:
        await reader.close()
