"""What the reporting views say, read with the role that Grafana has."""

from dataclasses import asdict, dataclass

import asyncpg

from relance_local.demo.scenario import BY_HAND
from relance_sla_monitor.domain.clocks import NO_ANSWER

_LINES = f"""
    WITH fired AS (
        SELECT assignment_id, bool_or(action = 'at_risk') AS at_risk, bool_or(action = 'notify_manager') AS escalated
        FROM reporting.steps GROUP BY 1
    )
    SELECT CASE WHEN l.quarantined THEN '(quarantined)' WHEN t.lead_id IS NOT NULL THEN '(joined)'
        ELSE coalesce(a.team, '(unrouted)') END AS team, l.source,
        count(DISTINCT l.lead_id) AS leads,
        count(a.assignment_id) AS assigned,
        count(*) FILTER (WHERE c.stopped_by NOT IN {NO_ANSWER}) AS answered,
        count(*) FILTER (WHERE f.at_risk AND NOT c.breached AND NOT c.on_hold AND c.stopped_at IS NULL) AS at_risk,
        count(*) FILTER (WHERE c.breached) AS breached,
        count(*) FILTER (WHERE f.escalated) AS escalated
    FROM reporting.leads l
        LEFT JOIN reporting.touches t USING (lead_id)
        LEFT JOIN reporting.assignments a USING (lead_id)
        LEFT JOIN reporting.clocks c USING (assignment_id)
        LEFT JOIN fired f USING (assignment_id)
    GROUP BY 1, 2 ORDER BY 1, 2
"""
_BOOKS = """
    WITH owners AS (SELECT lead_id, count(*) AS open FROM reporting.assignments WHERE ended_at IS NULL GROUP BY 1)
    SELECT
        (SELECT count(*) FROM reporting.leads) AS accepted,
        (SELECT count(*) FROM owners) AS owned,
        (SELECT count(*) FROM reporting.unrouted) AS unrouted,
        (SELECT count(*) FROM reporting.leads WHERE quarantined) AS quarantined,
        (SELECT count(*) FROM reporting.touches) AS joined,
        (SELECT count(*) FROM reporting.leads l WHERE NOT l.quarantined
            AND NOT EXISTS (SELECT FROM reporting.touches t WHERE t.lead_id = l.lead_id)
            AND NOT EXISTS (SELECT FROM owners o WHERE o.lead_id = l.lead_id)
            AND NOT EXISTS (SELECT FROM reporting.unrouted u WHERE u.lead_id = l.lead_id)) AS lost,
        (SELECT count(*) FROM owners WHERE open > 1) AS with_two_owners,
        (SELECT count(*) FROM reporting.assignments) AS assignments,
        (SELECT count(*) FROM reporting.clocks) AS clocks,
        (SELECT count(*) FROM reporting.notifications WHERE state = 'pending') AS undelivered,
        (SELECT count(*) FROM reporting.leads WHERE source = $1) AS by_hand
"""


@dataclass(frozen=True)
class Line:
    """Figures of one team and source."""

    team: str
    source: str
    leads: int
    assigned: int
    answered: int
    at_risk: int
    breached: int
    escalated: int


@dataclass(frozen=True)
class Books:
    """The system's own count."""

    accepted: int
    owned: int
    unrouted: int
    quarantined: int
    joined: int
    lost: int
    with_two_owners: int
    assignments: int
    clocks: int
    undelivered: int
    by_hand: int
    """Of the accepted, what somebody has filled in on the demo page meanwhile."""

    @property
    def balanced(self) -> bool:
        """accepted = owned + unrouted + quarantined + joined, nothing lost or twice, every assignment on the clock."""
        return (
            self.accepted == self.owned + self.unrouted + self.quarantined + self.joined
            and not self.lost
            and not self.with_two_owners
            and self.assignments == self.clocks
        )

    def as_dict(self) -> dict[str, int]:
        """For programs."""
        return asdict(self)


async def read_lines(connection: asyncpg.Connection) -> list[Line]:
    """The table's lines."""
    return [Line(**row) for row in await connection.fetch(_LINES)]


async def read_books(connection: asyncpg.Connection) -> Books:
    """The totals."""
    return Books(**await connection.fetchrow(_BOOKS, BY_HAND))
