"""What scorecards are made of: what leads were worth, leads that nobody was given, and what was spent."""

from alembic import op

from relance.migrations import statements

revision = "0004"
down_revision = "0003"

TABLES = """
    CREATE TABLE dispositions (
        assignment_id uuid PRIMARY KEY,
        lead_id uuid NOT NULL,
        disposition text NOT NULL CHECK (disposition IN ('accepted', 'rejected', 'won', 'lost')),
        reason text,
        recorded_at timestamptz NOT NULL,
        event_id uuid NOT NULL
    );
    COMMENT ON TABLE dispositions IS 'The newest of each assignment, perhaps before the assignment itself is heard of';

    CREATE TABLE unrouted_leads (
        lead_id uuid PRIMARY KEY,
        source text NOT NULL,
        channel text NOT NULL,
        campaign text,
        received_at timestamptz NOT NULL
    );
    COMMENT ON TABLE unrouted_leads IS 'Leads that nobody could be given at some time; many have been given since';
    CREATE INDEX unrouted_leads_received_at ON unrouted_leads (received_at);

    CREATE TABLE spend (
        source text NOT NULL,
        campaign text,
        begins date NOT NULL,
        ends date NOT NULL,
        amount numeric(14, 2) NOT NULL CHECK (amount >= 0),
        currency text NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT now(),
        CHECK (begins < ends),
        UNIQUE NULLS NOT DISTINCT (source, campaign, begins, ends)
    );
    COMMENT ON COLUMN spend.ends IS 'The first day that it was not spent for';

    CREATE INDEX clocks_lead_id ON clocks (lead_id);
    CREATE INDEX clocks_received_at ON clocks (received_at)
"""
WEEK = """to_char({} AT TIME ZONE 'UTC', 'IYYY-"W"IW')"""
WORKED = "c.worked"
"""How long the rep had the lead before the clock stopped, in working time."""
VIEWS = f"""
    CREATE VIEW reporting.scorecard_assignments AS
        SELECT c.lead_id, c.ordinal, c.assignment_id, c.source, c.campaign, c.channel, c.team, c.rep, c.received_at,
            {WEEK.format("c.received_at")} AS week, c.started_at AS given_at, c.deadline, a.answered_at,
            CASE WHEN a.answered_at IS NOT NULL THEN w.worked_seconds END AS response_seconds,
            CASE WHEN a.answered_at <= c.deadline THEN true
                WHEN c.deadline < coalesce(c.stopped_at, now()) THEN false END AS in_window,
            a.answered_at IS NULL AND NOT s.declined AND c.deadline < coalesce(c.stopped_at, now()) AS never_answered,
            s.declined, s.reassigned,
            d.disposition, d.reason AS disposition_reason, d.recorded_at AS disposed_at, w.worked_seconds
        FROM clocks c
        CROSS JOIN LATERAL (
            SELECT CASE WHEN c.stopped_by NOT IN ('declined', 'reassigned') THEN c.stopped_at END AS answered_at
        ) a
        CROSS JOIN LATERAL (SELECT CAST(extract(epoch FROM {WORKED}) AS double precision) AS worked_seconds) w
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(cause = 'declined'), false) AS declined,
                coalesce(bool_or(cause = 'reassigned'), false) AS reassigned
            FROM stops WHERE stops.assignment_id = c.assignment_id
        ) s
        LEFT JOIN dispositions d ON d.assignment_id = c.assignment_id
        WHERE c.clock = 'response';

    CREATE VIEW reporting.scorecard_leads AS
        SELECT f.lead_id, f.ordinal, f.assignment_id, f.source, f.campaign, f.channel, f.team, f.rep, f.received_at,
            f.week, f.given_at, f.deadline, l.answered_at, l.response_seconds,
            CASE WHEN l.answered_at <= f.deadline THEN true
                WHEN f.deadline < coalesce(l.answered_at, now()) THEN false END AS in_window,
            l.answered_at IS NULL AND f.deadline < now() AS never_answered,
            l.declined, l.reassigned, l.disposition, l.disposition_reason, l.disposed_at
        FROM reporting.scorecard_assignments f
        CROSS JOIN LATERAL (
            SELECT h.first_answered_at AS answered_at,
                sum(h.worked_seconds) FILTER (WHERE h.given_at <= h.first_answered_at) AS response_seconds,
                bool_or(h.declined) AS declined, bool_or(h.reassigned) AS reassigned,
                (array_agg(h.disposition ORDER BY h.disposed_at DESC NULLS LAST, h.ordinal DESC))[1] AS disposition,
                (array_agg(h.disposition_reason ORDER BY h.disposed_at DESC NULLS LAST, h.ordinal DESC))[1]
                    AS disposition_reason,
                max(h.disposed_at) AS disposed_at
            FROM (
                SELECT each.*, min(each.answered_at) OVER () AS first_answered_at
                FROM reporting.scorecard_assignments each WHERE each.lead_id = f.lead_id
            ) h
            GROUP BY h.first_answered_at
        ) l
        WHERE f.ordinal = 1
        UNION ALL
        SELECT u.lead_id, 0, NULL, u.source, u.campaign, u.channel, NULL, NULL, u.received_at,
            {WEEK.format("u.received_at")}, NULL, NULL, NULL, NULL, NULL, false, false, false, NULL, NULL, NULL
        FROM unrouted_leads u
        WHERE NOT EXISTS (SELECT FROM clocks c WHERE c.lead_id = u.lead_id AND c.clock = 'response' AND c.ordinal = 1);

    CREATE VIEW reporting.spend_days AS
        SELECT s.source, s.campaign, CAST(day AS date) AS day, to_char(day, 'IYYY-"W"IW') AS week,
            s.amount / (s.ends - s.begins) AS amount, s.currency
        FROM spend s, generate_series(s.begins, s.ends - 1, interval '1 day') AS day
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
