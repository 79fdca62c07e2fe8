"""Scorecards of a million leads: rows are put together only where a lead was given more than once."""

from alembic import op

from relance.migrations import statements

revision = "0018"
down_revision = "0017"

INDEXES = """
    CREATE INDEX received ON clocks (received_at, lead_id) WHERE clock = 'response';
    DROP INDEX clocks_received_at;
    CREATE INDEX given_again ON clocks (lead_id) WHERE clock = 'response' AND ordinal > 1;
    CREATE INDEX ended ON stops (cause, assignment_id) INCLUDE (at) WHERE cause IN ('declined', 'reassigned', 'erased')
"""
WEEK = """to_char({} AT TIME ZONE 'UTC', 'IYYY-"W"IW')"""
GIVEN_AGAIN = "SELECT FROM clocks c WHERE c.lead_id = f.lead_id AND c.clock = 'response' AND c.ordinal > 1"
FIRST = """f.lead_id, f.ordinal, f.assignment_id, f.source, f.campaign, f.channel, f.team, f.rep, f.received_at, f.week,
                f.given_at, f.deadline, f.in_window"""
# A stop of each cause is there once at most, so that the planner leaves out what nobody asks for.
VIEWS = f"""
    CREATE OR REPLACE VIEW reporting.scorecard_assignments AS
        SELECT c.lead_id, c.ordinal, c.assignment_id, c.source, c.campaign, c.channel, c.team, c.rep, c.received_at,
            {WEEK.format("c.received_at")} AS week, c.started_at AS given_at, c.deadline, a.answered_at,
            CASE WHEN a.answered_at IS NOT NULL THEN w.worked_seconds END AS response_seconds,
            CASE WHEN a.answered_at <= coalesce(c.deadline, 'infinity') THEN true
                WHEN c.deadline < coalesce(c.stopped_at, now()) THEN false END AS in_window,
            a.answered_at IS NULL AND declined.at IS NULL
                AND coalesce(c.deadline < coalesce(c.stopped_at, now()), false) AS never_answered,
            declined.at IS NOT NULL AS declined, reassigned.at IS NOT NULL AS reassigned,
            d.disposition, d.reason AS disposition_reason, d.recorded_at AS disposed_at, w.worked_seconds,
            c.extended > interval '0' AS extended, erased.at AS erased_at
        FROM clocks c
        CROSS JOIN LATERAL (
            SELECT CASE WHEN c.stopped_by NOT IN ('declined', 'reassigned', 'erased') THEN c.stopped_at END
                AS answered_at
        ) a
        CROSS JOIN LATERAL (SELECT CAST(extract(epoch FROM c.worked) AS double precision) AS worked_seconds) w
        LEFT JOIN stops declined ON declined.assignment_id = c.assignment_id AND declined.cause = 'declined'
        LEFT JOIN stops reassigned ON reassigned.assignment_id = c.assignment_id AND reassigned.cause = 'reassigned'
        LEFT JOIN stops erased ON erased.assignment_id = c.assignment_id AND erased.cause = 'erased'
        LEFT JOIN dispositions d ON d.assignment_id = c.assignment_id
        WHERE c.clock = 'response';

    CREATE OR REPLACE VIEW reporting.scorecard_leads AS
        SELECT l.lead_id, l.ordinal, l.assignment_id, l.source, l.campaign, l.channel, l.team, l.rep, l.received_at,
            l.week, l.given_at, l.deadline, l.answered_at, l.response_seconds,
            CASE WHEN l.deadline IS NULL THEN l.in_window
                WHEN l.answered_at <= l.deadline THEN true
                WHEN l.deadline < coalesce(l.answered_at, e.erased_at, now()) THEN false END AS in_window,
            l.answered_at IS NULL AND coalesce(l.deadline < coalesce(e.erased_at, now()), false) AS never_answered,
            l.declined, l.reassigned, l.disposition, l.disposition_reason, l.disposed_at, l.extended
        FROM (
            SELECT {FIRST}, f.answered_at,
                CASE WHEN f.given_at <= f.answered_at THEN f.worked_seconds END AS response_seconds,
                f.declined, f.reassigned, f.extended, f.disposition, f.disposition_reason, f.disposed_at, f.erased_at
            FROM reporting.scorecard_assignments f
            WHERE f.ordinal = 1 AND NOT EXISTS ({GIVEN_AGAIN})
            UNION ALL
            SELECT {FIRST}, every.*
            FROM reporting.scorecard_assignments f
            CROSS JOIN LATERAL (
                SELECT h.first_answered_at AS answered_at,
                    sum(h.worked_seconds) FILTER (WHERE h.given_at <= h.first_answered_at) AS response_seconds,
                    bool_or(h.declined) AS declined, bool_or(h.reassigned) AS reassigned,
                    bool_or(h.extended) AS extended,
                    (array_agg(h.disposition ORDER BY h.disposed_at DESC NULLS LAST, h.ordinal DESC))[1] AS disposition,
                    (array_agg(h.disposition_reason ORDER BY h.disposed_at DESC NULLS LAST, h.ordinal DESC))[1]
                        AS disposition_reason,
                    max(h.disposed_at) AS disposed_at, min(h.erased_at) AS erased_at
                FROM (
                    SELECT each.*, min(each.answered_at) OVER () AS first_answered_at
                    FROM reporting.scorecard_assignments each WHERE each.lead_id = f.lead_id
                ) h
                GROUP BY h.first_answered_at
            ) every
            WHERE f.ordinal = 1 AND EXISTS ({GIVEN_AGAIN})
        ) l
        LEFT JOIN unrouted_leads u ON u.lead_id = l.lead_id
        CROSS JOIN LATERAL (SELECT least(l.erased_at, u.erased_at) AS erased_at) e
        UNION ALL
        SELECT u.lead_id, 0, NULL, u.source, u.campaign, u.channel, u.team, NULL, u.received_at,
            {WEEK.format("u.received_at")}, NULL, NULL, NULL, NULL, NULL, false, false, false, NULL, NULL, NULL, false
        FROM unrouted_leads u
        WHERE NOT EXISTS (SELECT FROM clocks c WHERE c.lead_id = u.lead_id AND c.clock = 'response' AND c.ordinal = 1)
"""


def upgrade() -> None:
    for statement in statements(INDEXES, VIEWS):
        op.execute(statement)
