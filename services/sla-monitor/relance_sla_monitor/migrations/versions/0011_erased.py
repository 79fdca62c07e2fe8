"""Assignments that end with an erasure: neither kept nor taken away; what was late before stays late."""

from alembic import op

from relance.migrations import statements

revision = "0011"
down_revision = "0010"

TABLES = """
    ALTER TABLE stops DROP CONSTRAINT stops_cause_check;
    ALTER TABLE stops ADD CONSTRAINT stops_cause_check CHECK (cause IN (
        'acknowledged', 'contacted', 'declined', 'reassigned', 'erased', 'accepted', 'rejected', 'won', 'lost'
    ));
    ALTER TABLE unrouted_leads ADD COLUMN erased_at timestamptz;
    COMMENT ON COLUMN unrouted_leads.erased_at IS 'Since when nobody is looked for any more';
    DROP INDEX waiting;
    CREATE INDEX waiting ON unrouted_leads (unrouted_at)
        WHERE erased_at IS NULL AND (given_at IS NULL OR given_at < unrouted_at)
"""
# The rest of what they count (0006, 0007) stays as it is.
TALLIES = """
    DO $do$
    DECLARE counting regproc;
    BEGIN
        FOREACH counting IN ARRAY CAST('{tally_started, tally_changed}' AS regproc[]) LOOP
            EXECUTE replace(pg_get_functiondef(counting), $$<> 'reassigned'$$, $$NOT IN ('reassigned', 'erased')$$);
        END LOOP;
    END
    $do$
"""
WEEK = """to_char({} AT TIME ZONE 'UTC', 'IYYY-"W"IW')"""
# Where an erased lead's window still ran, nobody knows whether it would have been kept: it is out of no window.
VIEWS = f"""
    CREATE OR REPLACE VIEW reporting.scorecard_assignments AS
        SELECT c.lead_id, c.ordinal, c.assignment_id, c.source, c.campaign, c.channel, c.team, c.rep, c.received_at,
            {WEEK.format("c.received_at")} AS week, c.started_at AS given_at, c.deadline, a.answered_at,
            CASE WHEN a.answered_at IS NOT NULL THEN w.worked_seconds END AS response_seconds,
            CASE WHEN a.answered_at <= coalesce(c.deadline, 'infinity') THEN true
                WHEN c.deadline < coalesce(c.stopped_at, now()) THEN false END AS in_window,
            a.answered_at IS NULL AND NOT s.declined
                AND coalesce(c.deadline < coalesce(c.stopped_at, now()), false) AS never_answered,
            s.declined, s.reassigned,
            d.disposition, d.reason AS disposition_reason, d.recorded_at AS disposed_at, w.worked_seconds,
            c.extended > interval '0' AS extended, s.erased_at
        FROM clocks c
        CROSS JOIN LATERAL (
            SELECT CASE WHEN c.stopped_by NOT IN ('declined', 'reassigned', 'erased') THEN c.stopped_at END
                AS answered_at
        ) a
        CROSS JOIN LATERAL (SELECT CAST(extract(epoch FROM c.worked) AS double precision) AS worked_seconds) w
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(cause = 'declined'), false) AS declined,
                coalesce(bool_or(cause = 'reassigned'), false) AS reassigned,
                min(at) FILTER (WHERE cause = 'erased') AS erased_at
            FROM stops WHERE stops.assignment_id = c.assignment_id
        ) s
        LEFT JOIN dispositions d ON d.assignment_id = c.assignment_id
        WHERE c.clock = 'response';

    CREATE OR REPLACE VIEW reporting.scorecard_leads AS
        SELECT f.lead_id, f.ordinal, f.assignment_id, f.source, f.campaign, f.channel, f.team, f.rep, f.received_at,
            f.week, f.given_at, f.deadline, l.answered_at, l.response_seconds,
            CASE WHEN f.deadline IS NULL THEN f.in_window
                WHEN l.answered_at <= f.deadline THEN true
                WHEN f.deadline < coalesce(l.answered_at, e.erased_at, now()) THEN false END AS in_window,
            l.answered_at IS NULL AND coalesce(f.deadline < coalesce(e.erased_at, now()), false) AS never_answered,
            l.declined, l.reassigned, l.disposition, l.disposition_reason, l.disposed_at, l.extended
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
        ) l
        LEFT JOIN unrouted_leads u ON u.lead_id = f.lead_id
        CROSS JOIN LATERAL (SELECT least(l.erased_at, u.erased_at) AS erased_at) e
        WHERE f.ordinal = 1
        UNION ALL
        SELECT u.lead_id, 0, NULL, u.source, u.campaign, u.channel, NULL, NULL, u.received_at,
            {WEEK.format("u.received_at")}, NULL, NULL, NULL, NULL, NULL, false, false, false, NULL, NULL, NULL, false
        FROM unrouted_leads u
        WHERE NOT EXISTS (SELECT FROM clocks c WHERE c.lead_id = u.lead_id AND c.clock = 'response' AND c.ordinal = 1)
"""


def upgrade() -> None:
    for statement in (*statements(TABLES, VIEWS), TALLIES):
        op.execute(statement)
