"""Leads, assignments, whose turn it is, notifications, and what managers may read of them."""

from alembic import op

from relance.migrations import INBOX_V1, OUTBOX_V1, statements

revision = "0001"
down_revision = None

TABLES = """
    CREATE TABLE configurations (
        version integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        content text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    );

    CREATE TABLE leads (
        id uuid PRIMARY KEY,
        data jsonb NOT NULL,
        traceparent text NOT NULL,
        routed_at timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON COLUMN leads.data IS 'relance.lead.received.v1, as received';

    CREATE TABLE assignments (
        id uuid PRIMARY KEY,
        lead_id uuid NOT NULL REFERENCES leads,
        ordinal integer NOT NULL,
        rep text NOT NULL,
        team text NOT NULL,
        weight integer NOT NULL,
        rule text NOT NULL,
        state text NOT NULL CHECK (state IN ('open', 'acknowledged', 'contacted', 'declined', 'reassigned')),
        assigned_at timestamptz NOT NULL,
        respond_by timestamptz NOT NULL,
        ended_at timestamptz,
        configuration integer NOT NULL REFERENCES configurations,
        explanation jsonb NOT NULL,
        UNIQUE (lead_id, ordinal),
        CHECK ((ended_at IS NOT NULL) = (state IN ('declined', 'reassigned')))
    );
    CREATE UNIQUE INDEX one_owner ON assignments (lead_id) WHERE ended_at IS NULL;
    CREATE INDEX leads_in_hand ON assignments (rep) WHERE state IN ('open', 'acknowledged');

    CREATE TABLE answers (
        assignment_id uuid NOT NULL REFERENCES assignments,
        answer text NOT NULL CHECK (answer IN ('acknowledged', 'contacted', 'declined')),
        reason text,
        responded_at timestamptz NOT NULL,
        PRIMARY KEY (assignment_id, answer)
    );

    CREATE TABLE unrouted (
        lead_id uuid PRIMARY KEY REFERENCES leads,
        reason text NOT NULL,
        explanation jsonb NOT NULL,
        configuration integer NOT NULL REFERENCES configurations,
        since timestamptz NOT NULL,
        tried_at timestamptz NOT NULL
    );

    CREATE TABLE teams (
        team text PRIMARY KEY,
        virtual_time numeric NOT NULL DEFAULT 0
    );
    CREATE TABLE places (
        team text NOT NULL REFERENCES teams,
        rep text NOT NULL,
        start numeric NOT NULL,
        away_since numeric,
        PRIMARY KEY (team, rep)
    );
    COMMENT ON TABLE places IS 'Each rep''s place in the team''s line; guarded by the lock on the team''s row';
    CREATE TABLE reps (
        rep text PRIMARY KEY,
        open_leads integer NOT NULL DEFAULT 0 CHECK (open_leads >= 0)
    );

    CREATE TABLE notifications (
        id uuid PRIMARY KEY,
        assignment_id uuid NOT NULL REFERENCES assignments,
        kind text NOT NULL,
        endpoint text NOT NULL,
        payload text NOT NULL,
        traceparent text NOT NULL,
        state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
        attempts integer NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT now(),
        next_attempt_at timestamptz NOT NULL DEFAULT now(),
        settled_at timestamptz,
        last_status integer,
        last_error text,
        UNIQUE (assignment_id, kind)
    );
    COMMENT ON COLUMN notifications.id IS 'webhook-id, the same for every attempt';
    COMMENT ON COLUMN notifications.next_attempt_at IS 'while an attempt is under way: when it counts as lost';
    CREATE INDEX due ON notifications (next_attempt_at) WHERE state = 'pending'
"""

VIEWS = """
    CREATE VIEW reporting.assignments AS
        SELECT a.id AS assignment_id, a.lead_id, a.ordinal, a.rep, a.team, a.rule, a.state, a.configuration,
            l.data ->> 'source' AS source, l.data ->> 'campaign' AS campaign, l.data ->> 'channel' AS channel,
            CAST(l.data ->> 'received_at' AS timestamptz) AS received_at, a.assigned_at, a.respond_by, a.ended_at
        FROM assignments a JOIN leads l ON l.id = a.lead_id;
    CREATE VIEW reporting.answers AS
        SELECT assignment_id, answer, responded_at FROM answers;
    CREATE VIEW reporting.unrouted AS
        SELECT u.lead_id, u.reason, u.since, u.tried_at, u.configuration,
            l.data ->> 'source' AS source, l.data ->> 'campaign' AS campaign, l.data ->> 'channel' AS channel
        FROM unrouted u JOIN leads l ON l.id = u.lead_id;
    CREATE VIEW reporting.notifications AS
        SELECT id AS notification_id, assignment_id, kind, endpoint, state, attempts, created_at, settled_at,
            last_status
        FROM notifications
"""


def upgrade() -> None:
    for statement in statements(TABLES, OUTBOX_V1, INBOX_V1, VIEWS):
        op.execute(statement)
