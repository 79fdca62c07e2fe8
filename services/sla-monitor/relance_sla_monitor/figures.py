"""Business figures for Prometheus, counted in the database: right after every restart, the same on every replica.

Because each replica reports the same figures, a query takes `max` over replicas and never `sum`.
"""

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Row, text
from typing_extensions import override

from relance.database import Database

_CLOCKS = text("""
    SELECT team, source, coalesce(campaign, '') AS campaign,
        count(*) AS started,
        count(*) FILTER (WHERE stopped_at IS NULL AND deadline >= now()) AS running,
        count(*) FILTER (WHERE stopped_at IS NULL AND deadline < now()) AS overdue,
        count(*) FILTER (WHERE stopped_at <= deadline) AS kept,
        count(*) FILTER (WHERE coalesce(stopped_at, now()) > deadline) AS breached
    FROM clocks WHERE clock = 'response' GROUP BY team, source, campaign
""")
_STEPS = text("""
    SELECT c.team, c.source, s.action, count(*) AS fired
    FROM steps s JOIN clocks c USING (assignment_id, clock) GROUP BY c.team, c.source, s.action
""")
_AT_RISK = text("""
    SELECT c.team, c.source, count(*) AS at_risk
    FROM clocks c
    WHERE c.clock = 'response' AND c.stopped_at IS NULL AND c.deadline >= now()
        AND EXISTS (
            SELECT FROM steps s
            WHERE s.assignment_id = c.assignment_id AND s.clock = c.clock AND s.action = 'at_risk'
        )
    GROUP BY c.team, c.source
""")


class Figures(Collector):
    """Counts every few seconds; a scrape gets the newest count."""

    def __init__(self, database: Database, every: timedelta) -> None:
        self._database = database
        self._every = every
        self._clocks: list[Row[tuple[object, ...]]] = []
        self._steps: list[Row[tuple[object, ...]]] = []
        self._at_risk: list[Row[tuple[object, ...]]] = []

    async def count(self) -> timedelta:
        """Count now; returns when to count next."""
        async with self._database.transaction() as connection:
            self._clocks = list((await connection.execute(_CLOCKS)).all())
            self._steps = list((await connection.execute(_STEPS)).all())
            self._at_risk = list((await connection.execute(_AT_RISK)).all())
        return self._every

    def describe(self) -> Iterator[Metric]:
        return self._families([], [], [])

    @override
    def collect(self) -> Iterator[Metric]:
        return self._families(self._clocks, self._steps, self._at_risk)

    @staticmethod
    def _families(
        clocks: list[Row[tuple[object, ...]]],
        steps: list[Row[tuple[object, ...]]],
        at_risk: list[Row[tuple[object, ...]]],
    ) -> Iterator[Metric]:
        by = ["team", "source", "campaign"]
        started = CounterMetricFamily("relance_sla_clocks_started", "Assignments whose window has begun.", labels=by)
        kept = CounterMetricFamily("relance_sla_windows_kept", "First answers within the window.", labels=by)
        breached = CounterMetricFamily("relance_sla_windows_breached", "Windows that passed unanswered.", labels=by)
        open_now = GaugeMetricFamily(
            "relance_sla_open",
            "Assignments without an answer, by where they stand.",
            labels=["team", "source", "state"],
        )
        fired = CounterMetricFamily("relance_sla_steps", "Escalation steps fired.", labels=["team", "source", "action"])
        waiting: dict[tuple[str, str], list[int]] = {}
        for row in clocks:
            labels = [row.team, row.source, row.campaign]
            started.add_metric(labels, row.started)
            kept.add_metric(labels, row.kept)
            breached.add_metric(labels, row.breached)
            running = waiting.setdefault((row.team, row.source), [0, 0])
            running[0] += row.running
            running[1] += row.overdue
        risky = {(row.team, row.source): row.at_risk for row in at_risk}
        for (team, source), (running_count, overdue) in waiting.items():
            at_risk_count = risky.get((team, source), 0)
            open_now.add_metric([team, source, "in_time"], running_count - at_risk_count)
            open_now.add_metric([team, source, "at_risk"], at_risk_count)
            open_now.add_metric([team, source, "breached"], overdue)
        for row in steps:
            fired.add_metric([row.team, row.source, row.action], row.fired)
        yield from (started, kept, breached, open_now, fired)
