"""Steps that were skipped, as there was more time by then, and may fire again."""

from alembic import op

from relance.migrations import statements

revision = "0014"
down_revision = "0013"

TABLES = """
    ALTER TABLE steps
        ADD COLUMN skipped_at timestamptz,
        ADD COLUMN skipped_because text,
        ADD CHECK ((skipped_at IS NULL) = (skipped_because IS NULL)),
        DROP CONSTRAINT steps_pkey,
        ADD PRIMARY KEY (assignment_id, clock, step, occurrence, due_at);
    COMMENT ON COLUMN steps.skipped_at IS 'When the router found that the terms had changed, and told nobody'
"""
VIEWS = """
    CREATE OR REPLACE VIEW reporting.steps AS
        SELECT s.assignment_id, s.clock, s.step, s.action, s.due_at, s.fired_at, c.rep, c.team, c.source, c.campaign,
            s.occurrence
        FROM steps s JOIN clocks c USING (assignment_id, clock)
        WHERE s.skipped_at IS NULL
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
