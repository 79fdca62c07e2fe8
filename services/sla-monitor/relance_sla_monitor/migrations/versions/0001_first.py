"""Clocks, what stops them, the steps that have fired, and what managers may read of them."""

from alembic import op

from relance.migrations import INBOX_V1, OUTBOX_V1, statements

revision = "0001"
down_revision = None

TABLES = """
    CREATE TABLE clocks (
        assignment_id uuid NOT NULL,
        clock text NOT NULL,
        lead_id uuid NOT NULL,
        ordinal integer NOT NULL,
        rep text NOT NULL,
        team text NOT NULL,
        source text NOT NULL,
        channel text NOT NULL,
        campaign text,
        received_at timestamptz NOT NULL,
        started_at timestamptz NOT NULL,
        response_window interval NOT NULL,
        deadline timestamptz NOT NULL,
        steps jsonb NOT NULL,
        fired integer NOT NULL DEFAULT 0,
        next_due_at timestamptz,
        stopped_at timestamptz,
        stopped_by text,
        traceparent text NOT NULL,
        PRIMARY KEY (assignment_id, clock)
    );
    COMMENT ON COLUMN clocks.steps IS 'name, action and due time of each step, in the order in which they fall due';
    CREATE INDEX due ON clocks (next_due_at) WHERE next_due_at IS NOT NULL;
    CREATE INDEX running ON clocks (team) WHERE stopped_at IS NULL;

    CREATE TABLE stops (
        assignment_id uuid NOT NULL,
        cause text NOT NULL CHECK (cause IN ('acknowledged', 'contacted', 'declined', 'reassigned')),
        at timestamptz NOT NULL,
        PRIMARY KEY (assignment_id, cause)
    );
    COMMENT ON TABLE stops IS 'Answers and ends as heard of, perhaps before the assignment itself';

    CREATE TABLE steps (
        assignment_id uuid NOT NULL,
        clock text NOT NULL,
        step text NOT NULL,
        action text NOT NULL,
        due_at timestamptz NOT NULL,
        fired_at timestamptz NOT NULL,
        PRIMARY KEY (assignment_id, clock, step)
    )
"""
VIEWS = """
    CREATE VIEW reporting.clocks AS
        SELECT assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
            response_window, deadline, stopped_at, stopped_by, coalesce(stopped_at, now()) > deadline AS breached
        FROM clocks;
    CREATE VIEW reporting.steps AS
        SELECT s.assignment_id, s.clock, s.step, s.action, s.due_at, s.fired_at, c.rep, c.team, c.source, c.campaign
        FROM steps s JOIN clocks c USING (assignment_id, clock)
"""


def upgrade() -> None:
    for statement in statements(TABLES, OUTBOX_V1, INBOX_V1, VIEWS):
        op.execute(statement)
