"""What the board reads: one query for all viewers and all teams, bounded whatever is open."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from sqlalchemy import text

from relance.database import Database
from relance_sla_monitor.domain.clocks import NO_ANSWER

ROWS = 12
"""Leads listed of each team at most: what a wall screen shows without scrolling."""


@dataclass(frozen=True)
class OpenLead:
    """A lead without an answer. `risk_at` is when its policy calls it at risk; no deadline: nobody knows until when."""

    lead_id: UUID
    rep: str
    team: str
    source: str
    channel: str
    campaign: str | None
    started_at: datetime
    deadline: datetime | None
    risk_at: datetime | None
    on_hold: bool


@dataclass(frozen=True)
class LateLead:
    """A lead whose window passed today and whose clock stopped after it."""

    lead_id: UUID
    rep: str
    team: str
    source: str
    campaign: str | None
    deadline: datetime
    stopped_at: datetime
    stopped_by: str


@dataclass(frozen=True)
class Standing:
    """How a team's open leads stand, and what it kept and breached since midnight."""

    team: str
    open: int = 0
    at_risk: int = 0
    overdue: int = 0
    on_hold: int = 0
    kept_today: int = 0
    breached_today: int = 0


@dataclass(frozen=True)
class Waiting:
    """Leads that nobody has, of the team that had them last, or else the one that its rule names; None: nobody said."""

    team: str | None
    leads: int
    since: datetime
    """When nobody could be found for the first of them."""


@dataclass(frozen=True)
class Hour:
    """First answers within one hour; of all teams when `team` is None. Durations of working time."""

    team: str | None
    begins: datetime
    answers: int
    median: timedelta
    p90: timedelta
    window: timedelta


@dataclass(frozen=True)
class Facts:
    """Everything that any viewer is shown. `now` is the database's clock."""

    now: datetime
    urgent: tuple[OpenLead, ...]
    overdue: tuple[OpenLead, ...]
    """Whose deadline passed since midnight: the newest of each team."""
    late: tuple[LateLead, ...]
    standings: tuple[Standing, ...]
    hours: tuple[Hour, ...]
    waiting: tuple[Waiting, ...] = ()


_FACTS = TypeAdapter(Facts)

_ON_HOLD = "(holds @> now() AND coalesce(deadline > now(), true))"

# The most urgent of each team contain the most urgent of all: no list is longer than teams x rows. All that is open is
# only counted, by what `open_by_deadline` holds; holds, which an index cannot hold, are read of those that have some.
READ = text(f"""
    WITH midnight AS (SELECT date_trunc('day', now(), :zone) AS at),
    held AS (
        SELECT team, assignment_id, deadline > now() AND risk_at <= now() AS risky,
            row_number() OVER (PARTITION BY team ORDER BY deadline) AS place
        FROM clocks
        WHERE clock = 'response' AND stopped_at IS NULL AND holds <> '{{}}' AND {_ON_HOLD}
    ),
    counted AS (
        SELECT team,
            count(*) AS open,
            count(*) FILTER (WHERE deadline > now() AND risk_at <= now()) AS risky,
            count(*) FILTER (WHERE deadline <= now()) AS overdue,
            count(*) FILTER (WHERE deadline <= now() AND deadline >= midnight.at) AS overdue_today
        FROM midnight, clocks
        WHERE clock = 'response' AND stopped_at IS NULL
        GROUP BY team
    ),
    running AS (
        SELECT team, open, counted.risky - coalesce(h.risky, 0) AS at_risk, overdue, coalesce(on_hold, 0) AS on_hold,
            overdue_today
        FROM counted LEFT JOIN (
            SELECT team, count(*) AS on_hold, count(*) FILTER (WHERE risky) AS risky FROM held GROUP BY team
        ) h USING (team)
    ),
    urgent AS (
        SELECT first.* FROM running CROSS JOIN LATERAL (
            SELECT c.lead_id, c.rep, c.team, c.source, c.channel, c.campaign, c.started_at, c.deadline,
                c.risk_at, listed.on_hold
            FROM (
                (
                    SELECT false AS on_hold, assignment_id FROM clocks
                    WHERE clock = 'response' AND team = running.team AND stopped_at IS NULL AND NOT {_ON_HOLD}
                    ORDER BY deadline LIMIT :rows
                ) UNION ALL (
                    SELECT true, assignment_id FROM held WHERE team = running.team AND place <= :rows
                )
            ) listed JOIN clocks c ON c.assignment_id = listed.assignment_id AND c.clock = 'response'
        ) first
    ),
    overdue AS (
        SELECT newest.* FROM midnight, running CROSS JOIN LATERAL (
            SELECT lead_id, rep, team, source, channel, campaign, started_at, deadline, risk_at, false AS on_hold
            FROM clocks
            WHERE clock = 'response' AND team = running.team AND stopped_at IS NULL
                AND deadline BETWEEN midnight.at AND now()
            ORDER BY deadline DESC LIMIT :rows
        ) newest
    ),
    stopped AS (
        SELECT lead_id, rep, team, source, campaign, response_window, deadline, stopped_at, stopped_by, worked,
            stopped_at >= midnight.at AS today, stopped_at > deadline AND deadline >= midnight.at AS late
        FROM midnight, clocks
        WHERE clock = 'response' AND stopped_at >= least(midnight.at, date_trunc('hour', now()) - interval '23 hours')
    ),
    ended AS (
        SELECT team,
            count(*) FILTER (
                WHERE today AND coalesce(stopped_at <= deadline, true) AND stopped_by NOT IN {NO_ANSWER}
            ) AS kept_today,
            count(*) FILTER (WHERE late) AS late_today
        FROM stopped GROUP BY team
    ),
    late AS (
        SELECT lead_id, rep, team, source, campaign, deadline, stopped_at, stopped_by
        FROM (SELECT *, row_number() OVER (PARTITION BY team ORDER BY deadline DESC) AS place FROM stopped WHERE late) s
        WHERE place <= :rows
    ),
    standings AS (
        SELECT team, coalesce(open, 0) AS open, coalesce(at_risk, 0) AS at_risk, coalesce(overdue, 0) AS overdue,
            coalesce(on_hold, 0) AS on_hold,
            coalesce(kept_today, 0) AS kept_today,
            coalesce(overdue_today, 0) + coalesce(late_today, 0) AS breached_today
        FROM running FULL JOIN ended USING (team)
    ),
    waiting AS (
        SELECT coalesce(owner.team, u.team) AS team, count(*) AS leads, min(u.unrouted_at) AS since
        FROM unrouted_leads u LEFT JOIN LATERAL (
            SELECT team FROM clocks c WHERE c.lead_id = u.lead_id ORDER BY ordinal DESC LIMIT 1
        ) owner ON true
        WHERE u.erased_at IS NULL AND (u.given_at IS NULL OR u.given_at < u.unrouted_at)
        GROUP BY 1
    ),
    hours AS (
        SELECT team, date_trunc('hour', stopped_at) AS begins, count(*) AS answers,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM worked)) AS median,
            percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM worked)) AS p90,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM response_window)) AS window
        FROM stopped
        WHERE stopped_by NOT IN {NO_ANSWER}
            AND stopped_at >= date_trunc('hour', now()) - interval '23 hours'
        GROUP BY GROUPING SETS ((team, date_trunc('hour', stopped_at)), (date_trunc('hour', stopped_at)))
    )
    SELECT CAST(jsonb_build_object(
        'now', clock_timestamp(),
        'urgent', (SELECT coalesce(jsonb_agg(to_jsonb(urgent) ORDER BY deadline, lead_id), '[]') FROM urgent),
        'overdue', (SELECT coalesce(jsonb_agg(to_jsonb(overdue) ORDER BY deadline DESC, lead_id), '[]') FROM overdue),
        'late', (SELECT coalesce(jsonb_agg(to_jsonb(late) ORDER BY deadline DESC, lead_id), '[]') FROM late),
        'standings', (SELECT coalesce(jsonb_agg(to_jsonb(standings) ORDER BY team), '[]') FROM standings),
        'waiting', (SELECT coalesce(jsonb_agg(to_jsonb(waiting) ORDER BY team), '[]') FROM waiting),
        'hours', (SELECT coalesce(jsonb_agg(to_jsonb(hours) ORDER BY begins), '[]') FROM hours)
    ) AS text)
""")


_TEAMS = text("SELECT team FROM tallies UNION SELECT team FROM tally_changes EXCEPT SELECT '' ORDER BY team")


async def read_teams(database: Database) -> list[str]:
    """Teams that a lead was ever given to, by name."""
    async with database.transaction() as connection:
        return list((await connection.execute(_TEAMS)).scalars())


async def read_facts(database: Database, zone: ZoneInfo) -> Facts:
    """Read it now. The day begins at midnight in `zone`."""
    async with database.transaction() as connection:
        found = await connection.execute(READ, {"zone": zone.key, "rows": ROWS})
        return _FACTS.validate_json(found.scalar_one())
