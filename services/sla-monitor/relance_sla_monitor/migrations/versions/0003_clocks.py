"""Clocks beside the response clock, their calendars, and the working time that they took."""

from alembic import op

from relance.migrations import statements

revision = "0003"
down_revision = "0002"

TABLES = """
    CREATE TABLE calendars (digest bytea PRIMARY KEY, calendar text NOT NULL);
    COMMENT ON TABLE calendars IS 'Each calendar as JSON once, by its SHA-256: millions of clocks share a few';

    ALTER TABLE clocks
        ADD COLUMN calendar bytea REFERENCES calendars,
        ADD COLUMN worked interval;
    COMMENT ON COLUMN clocks.calendar IS 'In whose working time the window counts; null: all time counts';
    COMMENT ON COLUMN clocks.worked IS 'Working time from the start to the stop';
    UPDATE clocks SET worked = greatest(stopped_at - started_at, interval '0') WHERE stopped_at IS NOT NULL;

    -- What the timers read to know what is due soon, without the rows themselves.
    DROP INDEX due;
    CREATE INDEX due ON clocks (next_due_at, assignment_id, clock) WHERE next_due_at IS NOT NULL;

    ALTER TABLE stops DROP CONSTRAINT stops_cause_check;
    ALTER TABLE stops ADD CONSTRAINT stops_cause_check CHECK (cause IN (
        'acknowledged', 'contacted', 'declined', 'reassigned', 'accepted', 'rejected', 'won', 'lost'
    ))
"""
VIEWS = """
    CREATE OR REPLACE VIEW reporting.clocks AS
        SELECT assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
            response_window, deadline, stopped_at, stopped_by, coalesce(stopped_at, now()) > deadline AS breached,
            worked
        FROM clocks
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
