"""Promises of the business figures: right after a restart, cheap however much is over, bounded in their labels."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from prometheus_client.core import Metric
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.integration.test_clocks_in_database import Monitor, answered, assigned, envelopes

from relance.events import AssignmentEnded, EscalationStep
from relance_sla_monitor import figures
from relance_sla_monitor.figures import CAMPAIGNS, OTHER, Figure, Figures, bounded, count, families

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


async def test_only_overdue_clocks_are_read_again(monitor: Monitor) -> None:
    """Of 100 000 clocks half have stopped and half run, 20 of them beyond their deadline: a count reads those 20."""
    for first in range(1, 100_000, 10_000):
        async with monitor.database.transaction() as connection:
            await connection.execute(FILL, {"first": first, "open": 50_000, "overdue": 20})
    async with monitor.database.transaction() as connection:
        await connection.execute(text("ANALYZE clocks"))
    before = await counted(monitor)
    async with monitor.database.transaction() as connection:
        again = numbers(families(await count(connection)), team="sales")
        # What the count before it read may be in this number too.
        assert (await connection.execute(READ)).scalar_one() <= 2 * 20
    assert before == again
    names = ("clocks_started_total", "windows_kept_total", "open in_time", "open at_risk", "open breached")
    assert [before[name] for name in names] == [100_000, 50_000, 49_980, 0, 20]


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
    risky, answered_since, late, fresh = (
        assigned(ago * MINUTES).model_copy(update={"escalation": policy}) for ago in (3, 3, 12, 0)
    )
    await monitor.handle(risky, answered_since, late, fresh)
    await monitor.timers.fire_due()
    await monitor.handle(answered(answered_since, 3 * MINUTES))
    found = await counted(monitor)
    assert [found[f"open {state}"] for state in ("in_time", "at_risk", "breached")] == [1, 1, 1]


def test_whoever_names_campaigns_makes_no_more_series_than_the_limit() -> None:
    """The first ones keep theirs, whatever comes after; the rest are added up."""
    given = [Figure("response", "sales", "website", f"c{n:03}", "started", "", 1, 1000 - n) for n in range(200)]
    given.append(Figure("response", "sales", "website", "", "started", "", 1, 5000))
    labels = bounded(given, CAMPAIGNS)
    assert [label for (_, campaign), label in labels.items() if campaign == ""] == [""]
    assert {label for label in labels.values() if label not in ("", OTHER)} == {f"c{n:03}" for n in range(150, 200)}
    found = next(metric for metric in families(given) if metric.name == "relance_sla_clocks_started")
    assert len(found.samples) == CAMPAIGNS + 2
    assert sum(sample.value for sample in found.samples) == 201


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
