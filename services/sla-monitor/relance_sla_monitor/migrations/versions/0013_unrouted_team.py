"""The team whose members could not take a lead: what was never given counts for it too."""

from alembic import op

from relance.migrations import statements

revision = "0013"
down_revision = "0012"

TABLES = """
    ALTER TABLE unrouted_leads ADD COLUMN team text;
    COMMENT ON COLUMN unrouted_leads.team IS 'The team that its rule names; null: the event did not say'
"""
WEEK = """to_char({} AT TIME ZONE 'UTC', 'IYYY-"W"IW')"""
VIEWS = f"""
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
        SELECT u.lead_id, 0, NULL, u.source, u.campaign, u.channel, u.team, NULL, u.received_at,
            {WEEK.format("u.received_at")}, NULL, NULL, NULL, NULL, NULL, false, false, false, NULL, NULL, NULL, false
        FROM unrouted_leads u
        WHERE NOT EXISTS (SELECT FROM clocks c WHERE c.lead_id = u.lead_id AND c.clock = 'response' AND c.ordinal = 1)
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
