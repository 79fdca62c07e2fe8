"""Business figures for Prometheus, from the database: right after every restart, the same on every replica.

Triggers note what clocks and steps do (`tally_changes`); each count adds the notes up in `tallies` and reads of the
clocks only those that are newly overdue, on hold or were given more time. Those that have been overdue for long,
perhaps for ever, are noted too, once. Campaigns have tallies of their own only while they have series. So a count costs
the same whatever has passed, whatever runs and whatever was named. Because each replica reports the same figures, a
query takes `max` over replicas and never `sum`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from relance.database import Database

CAMPAIGNS = 50
"""So many campaigns of a source have series of their own at a time; whoever posts leads names campaigns."""
OTHER = "other"
"""All campaigns that were new while so many had theirs. They stay in it: a counter that fell would begin anew."""
QUIET = timedelta(days=30)
"""A campaign of which nothing was heard for so long has no series, and its place is free. It may come back, as new."""
LONG_OVERDUE = timedelta(hours=1)
"""Who has not answered by then may never."""
NOTED_AT_ONCE = 5000
"""So many clocks that are long overdue at a time, in some 20 ms: what changes clocks waits meanwhile."""

SECONDS = (5, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 259200)
RATIOS = (0.1, 0.25, 0.5, 0.8, 1, 1.25, 1.5, 2, 5, 10)
"""Buckets, as the triggers have them."""

_QUIET = f"(k.active_at <= now() - interval '{QUIET.days} days')"
LABEL = f"""CASE
    WHEN NOT k.listed OR t.campaign = '{OTHER}' THEN '{OTHER}'
    WHEN {_QUIET} THEN NULL
    ELSE t.campaign
END"""
"""As which campaign what is noted of `t.campaign` is kept; `k` is what is known of that."""

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('sla.tallies'))")
_NOW = text("SELECT clock_timestamp()")
_OLDEST_WRITER = text("""
    SELECT min(xact_start) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
        AND backend_xid IS NOT NULL
""")
_SETTLE = text("""
    INSERT INTO settled AS s (until) VALUES (:until)
    -- Not beyond now: a clock may have been wrong.
    ON CONFLICT (single) DO UPDATE SET until = greatest(excluded.until, least(s.until, clock_timestamp()))
    RETURNING until
""")
_OVERDUE = "CASE WHEN c.stopped_at IS NULL THEN c.deadline END"
"""As the index has it."""
_RISKY = """EXISTS (
    SELECT FROM steps s WHERE s.assignment_id = c.assignment_id AND s.clock = c.clock AND s.action = 'at_risk'
)"""
_COUNTED_UNTIL = "coalesce((SELECT until FROM overdue_counted), '-infinity')"
_LONG_OVERDUE = text(f"""
    SELECT max(deadline) FROM (
        SELECT {_OVERDUE} AS deadline FROM clocks c
        WHERE c.stopped_at IS NULL AND {_OVERDUE} > {_COUNTED_UNTIL} AND {_OVERDUE} <= :until
        ORDER BY 1 LIMIT :limit
    ) AS first
""")
_NOBODY_CHANGES_CLOCKS = text("SELECT pg_try_advisory_xact_lock(hashtext('sla.overdue'))")
_NOTE_LONG_OVERDUE = text(f"""
    WITH moved AS (
        INSERT INTO overdue_counted AS o (until) VALUES (:until)
        ON CONFLICT (single) DO UPDATE SET until = greatest(o.until, excluded.until)
    ), found AS (
        SELECT c.clock, c.team, c.source, coalesce(c.campaign, '') AS campaign,
            count(*) AS clocks, count(*) FILTER (WHERE {_RISKY}) AS risky
        FROM clocks c
        WHERE c.stopped_at IS NULL AND {_OVERDUE} > {_COUNTED_UNTIL} AND {_OVERDUE} <= :until
        GROUP BY 1, 2, 3, 4
    )
    INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)
    SELECT clock, team, source, campaign, what, '', amount
    FROM found, LATERAL (VALUES ('overdue_long', clocks), ('risky_long', risky)) noted (what, amount)
    WHERE amount > 0
""")
_LIST_CAMPAIGNS = text(f"""
    INSERT INTO campaigns AS k (source, campaign, listed, active_at)
    SELECT source, campaign, coalesce(taken, 0) + row_number() OVER (PARTITION BY source, new ORDER BY noted) <= :limit,
        now()
    FROM (
        SELECT source, campaign, min(id) AS noted, NOT EXISTS (
            SELECT FROM campaigns k
            WHERE k.source = t.source AND k.campaign = t.campaign AND NOT (k.listed AND {_QUIET})
        ) AS new
        FROM (
            SELECT source, campaign, id FROM tally_changes WHERE what NOT IN ('overdue_long', 'risky_long')
            -- A replica of the release before adds up notes and lists nothing.
            UNION ALL SELECT source, campaign, seen FROM tallies LEFT JOIN campaigns USING (source, campaign)
            WHERE listed IS NULL
        ) t
        WHERE campaign NOT IN ('', '{OTHER}')
        GROUP BY source, campaign
    ) AS heard
    LEFT JOIN (
        SELECT source, count(*) AS taken FROM campaigns k WHERE listed AND NOT {_QUIET} GROUP BY source
    ) AS places USING (source)
    ON CONFLICT (source, campaign) DO UPDATE
    SET active_at = excluded.active_at, listed = k.listed AND (excluded.listed OR NOT {_QUIET})
    WHERE k.active_at < excluded.active_at - interval '1 hour'
""")
# What has no series of its own has no rows of its own.
_LET_GO = text(f"""
    WITH gone AS (
        DELETE FROM tallies t USING campaigns k
        WHERE t.source = k.source AND t.campaign = k.campaign AND {LABEL} IS DISTINCT FROM t.campaign
        RETURNING t.*
    )
    INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)
    SELECT clock, team, source, campaign, what, detail, amount FROM gone
""")
# One statement, so that all of it sees the same clocks: one that stops meanwhile is open or stopped, never neither.
_COUNT = text(f"""
    WITH changes AS (
        DELETE FROM tally_changes RETURNING *
    ), folded AS (
        SELECT t.clock, t.team, t.source, {LABEL} AS campaign, t.what, t.detail, sum(t.amount) AS amount,
            min(t.id) AS seen
        FROM changes t LEFT JOIN campaigns k USING (source, campaign)
        GROUP BY 1, 2, 3, 4, 5, 6
    ), stored AS (
        INSERT INTO tallies AS t (clock, team, source, campaign, what, detail, amount, seen)
        SELECT clock, team, source, campaign, what, detail, amount, seen FROM folded
        ON CONFLICT (clock, team, source, campaign, what, detail) DO UPDATE SET amount = t.amount + excluded.amount
    ), overdue AS (
        SELECT c.clock, c.team, c.source, coalesce(c.campaign, '') AS campaign,
            count(*) AS clocks, count(*) FILTER (WHERE r.risky) AS risky
        FROM clocks c LEFT JOIN LATERAL (
            SELECT true AS risky FROM steps s
            WHERE s.assignment_id = c.assignment_id AND s.clock = c.clock AND s.action = 'at_risk'
            LIMIT 1
        ) r ON true
        WHERE c.stopped_at IS NULL AND {_OVERDUE} > {_COUNTED_UNTIL} AND {_OVERDUE} < :moment
        GROUP BY 1, 2, 3, 4
    ), held AS (
        SELECT c.clock, c.team, c.source, coalesce(c.campaign, '') AS campaign,
            count(*) AS clocks, count(*) FILTER (WHERE {_RISKY}) AS risky
        FROM clocks c
        WHERE c.stopped_at IS NULL AND c.holds <> '{{}}' AND c.holds @> now() AND coalesce(c.deadline >= :moment, true)
        GROUP BY 1, 2, 3, 4
    ), calm AS (
        SELECT c.clock, c.team, c.source, coalesce(c.campaign, '') AS campaign, count(*) AS risky
        FROM clocks c
        WHERE c.stopped_at IS NULL AND c.revision > 0 AND c.risk_at > now() AND c.deadline >= :moment
            AND NOT c.holds @> now() AND {_RISKY}
        GROUP BY 1, 2, 3, 4
    )
    SELECT clock, team, source, campaign, what, detail, sum(amount) AS amount
    FROM (
        SELECT clock, team, source, campaign, what, detail, amount FROM tallies
        UNION ALL SELECT clock, team, source, campaign, what, detail, amount FROM folded
        UNION ALL SELECT t.clock, t.team, t.source, {LABEL}, t.what, '', t.amount
        FROM (
            SELECT clock, team, source, campaign, 'overdue' AS what, clocks AS amount FROM overdue
            UNION ALL SELECT clock, team, source, campaign, 'risky', -risky FROM overdue
            UNION ALL SELECT clock, team, source, campaign, 'on_hold', clocks FROM held
            UNION ALL SELECT clock, team, source, campaign, 'risky', -risky FROM held
            UNION ALL SELECT clock, team, source, campaign, 'risky', -risky FROM calm
        ) t LEFT JOIN campaigns k USING (source, campaign)
    ) AS figures
    GROUP BY 1, 2, 3, 4, 5, 6
""")


@dataclass(frozen=True)
class Figure:
    """One number. `campaign` is the label; None: it has no series of its own."""

    clock: str
    team: str
    source: str
    campaign: str | None
    what: str
    detail: str
    amount: float


async def count(connection: AsyncConnection) -> list[Figure]:
    """Fold what has changed since the last count, and return every figure."""
    await connection.execute(_ONE_AT_A_TIME)
    await connection.execute(_LIST_CAMPAIGNS, {"limit": CAMPAIGNS})
    await connection.execute(_LET_GO)
    # Whoever read for long and then writes would take it back, and what was counted since.
    moment = (await connection.execute(_SETTLE, {"until": await _settled_until(connection)})).scalar_one()
    return [Figure(*row) for row in await connection.execute(_COUNT, {"moment": moment})]


async def note_long_overdue(connection: AsyncConnection) -> None:
    """Note some clocks that have been overdue for long, so that no count reads them again.

    From then on triggers note what becomes of them. One that changes a clock meanwhile would know nothing of it: this
    waits for none, is left for the next time while there is any, and is to be committed soon, as others wait for it.
    """
    asked = {"until": await _settled_until(connection) - LONG_OVERDUE, "limit": NOTED_AT_ONCE}
    until: datetime | None = (await connection.execute(_LONG_OVERDUE, asked)).scalar_one()
    if until and (await connection.execute(_NOBODY_CHANGES_CLOCKS)).scalar_one():
        await connection.execute(_NOTE_LONG_OVERDUE, {"until": until})


async def _settled_until(connection: AsyncConnection) -> datetime:
    """Deadlines before this moment are overdue, unless what is committed says otherwise; later ones are not yet.

    A transaction that is under way may have noted before a deadline that the answer came in time. Would that deadline
    count as overdue until the transaction is committed, and not any more then, a counter would fall. One that has
    written nothing yet has noted nothing: should it, the triggers compare with the time by then (`clock_timestamp`),
    which is after `now`, as that is asked for first.
    """
    now: datetime = (await connection.execute(_NOW)).scalar_one()
    oldest: datetime | None = (await connection.execute(_OLDEST_WRITER)).scalar_one()
    return min(now, oldest or now)


class Figures(Collector):
    """Counts every few seconds; a scrape gets the newest count."""

    def __init__(self, database: Database, every: timedelta) -> None:
        self._database = database
        self._every = every
        self._figures: Sequence[Figure] = ()

    async def count(self) -> timedelta:
        """Count now; returns when to count next."""
        async with self._database.transaction() as connection:
            await note_long_overdue(connection)
        async with self._database.transaction() as connection:
            self._figures = await count(connection)
        return self._every

    def describe(self) -> Iterator[Metric]:
        return families(())

    @override
    def collect(self) -> Iterator[Metric]:
        return families(self._figures)


Labels = tuple[str, ...]


def families(figures: Sequence[Figure]) -> Iterator[Metric]:
    """The figures as metrics."""
    totals: dict[Labels, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    standing: dict[Labels, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    steps: dict[Labels, float] = defaultdict(float)
    touches: dict[str, float] = defaultdict(float)
    taken: dict[str, dict[Labels, dict[str, float]]] = {
        name: defaultdict(lambda: defaultdict(float)) for name in _TAKEN
    }
    for each in figures:
        of_team = (each.clock, each.team, each.source)
        labels = None if each.campaign is None else (*of_team, each.campaign)
        if each.what == "touch":
            touches[each.source] += each.amount
        elif each.what in _TAKEN:
            taken[each.what][of_team][each.detail] += each.amount
        elif each.what == "step":
            if labels:
                steps[(*labels, *each.detail.split(" ", 1))] += each.amount
        else:
            if labels:
                totals[labels][each.what] += each.amount
            standing[of_team][each.what] += each.amount
    yield from _counters(totals)
    yield _open(standing)
    fired = CounterMetricFamily("relance_sla_steps", "Escalation steps fired.", labels=[*_BY, "action", "step"])
    for step, amount in steps.items():
        fired.add_metric(step, amount)
    yield fired
    joined = CounterMetricFamily("relance_sla_touches", "Leads that joined one of the same person.", labels=["source"])
    for source, amount in touches.items():
        joined.add_metric([source], amount)
    yield joined
    for what, (name, meaning, buckets) in _TAKEN.items():
        yield _histogram(name, meaning, buckets, taken[what])


_BY = ["clock", "team", "source", "campaign"]
_TAKEN: Mapping[str, tuple[str, str, tuple[float, ...]]] = {
    "seconds": ("relance_sla_response_seconds", "Working time from the clock's start to what stopped it.", SECONDS),
    "ratio": ("relance_sla_response_window_ratio", "The same, as a share of the window.", RATIOS),
}
_COUNTED = (
    ("relance_sla_clocks_started", "Clocks that have begun.", ("started",)),
    ("relance_sla_windows_kept", "Windows within which the answer came.", ("kept",)),
    (
        "relance_sla_windows_breached",
        "Windows that passed unanswered.",
        ("overdue", "overdue_long", "late", "withdrawn"),
    ),
    ("relance_sla_breaches_withdrawn", "Of these, not breached after all, as was heard later.", ("withdrawn",)),
)


def _counters(totals: Mapping[Labels, Mapping[str, float]]) -> Iterator[Metric]:
    for name, meaning, parts in _COUNTED:
        family = CounterMetricFamily(name, meaning, labels=_BY)
        for labels, amounts in totals.items():
            # Also 0: a series that begins with its first event hides it from `rate`.
            family.add_metric(labels, sum(amounts.get(part, 0) for part in parts))
        yield family


def _open(standing: Mapping[Labels, Mapping[str, float]]) -> Metric:
    family = GaugeMetricFamily("relance_sla_open", "Running clocks, by where they stand.", labels=[*_BY[:3], "state"])
    for labels, amounts in standing.items():
        overdue = amounts.get("overdue", 0) + amounts.get("overdue_long", 0)
        on_hold, at_risk = amounts.get("on_hold", 0), amounts.get("risky", 0) - amounts.get("risky_long", 0)
        in_time = amounts.get("started", 0) - amounts.get("stopped", 0) - overdue - on_hold - at_risk
        states = (("in_time", in_time), ("at_risk", at_risk), ("breached", overdue), ("on_hold", on_hold))
        for state, clocks in states:
            family.add_metric([*labels, state], clocks)
    return family


def _histogram(
    name: str, meaning: str, buckets: Sequence[float], taken: Mapping[Labels, Mapping[str, float]]
) -> Metric:
    family = HistogramMetricFamily(name, meaning, labels=_BY[:3])
    for labels, amounts in taken.items():
        below, cumulative = 0.0, []
        for bucket in [*(f"{each:g}" for each in buckets), "+Inf"]:
            below += amounts.get(bucket, 0)
            cumulative.append((bucket, below))
        # Rounded: added up anew, in another order, it must not fall by its last digit.
        family.add_metric(labels, cumulative, sum_value=round(amounts.get("sum", 0), 6))
    return family
