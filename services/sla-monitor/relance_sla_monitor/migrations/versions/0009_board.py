"""From when a clock is at risk, beside its steps: what the board counts of all open clocks, by an index alone."""

from alembic import op

from relance.migrations import statements

revision = "0009"
down_revision = "0008"

TABLES = """
    ALTER TABLE clocks ADD COLUMN risk_at timestamptz;
    COMMENT ON COLUMN clocks.risk_at IS 'When the first of its steps that say so calls it at risk; null: none does';
    UPDATE clocks SET risk_at = (
        SELECT min(CAST(step ->> 'due_at' AS timestamptz))
        FROM jsonb_array_elements(steps) AS step WHERE step ->> 'action' = 'at_risk'
    ) WHERE stopped_at IS NULL;
    DROP INDEX open_by_deadline;
    CREATE INDEX open_by_deadline ON clocks (clock, team, deadline) INCLUDE (risk_at) WHERE stopped_at IS NULL;
    -- Nothing is known of how often multiranges are alike: the planner took all clocks for held, and read all of them.
    ALTER TABLE clocks ALTER COLUMN holds SET (n_distinct = 1)
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
