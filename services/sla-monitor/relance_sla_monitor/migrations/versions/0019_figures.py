"""Until when breaches have been counted: whoever only reads keeps none from it. Tallies of what has series, only."""

from alembic import op

from relance.migrations import statements

revision = "0019"
down_revision = "0017"

TABLES = """
    CREATE TABLE settled (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        until timestamptz NOT NULL
    );
    COMMENT ON TABLE settled IS 'A count took deadlines before this for overdue, and later counts do, too';

    ALTER TABLE tallies DROP CONSTRAINT tallies_pkey, ALTER COLUMN campaign DROP NOT NULL,
        ADD UNIQUE NULLS NOT DISTINCT (clock, team, source, campaign, what, detail);
    COMMENT ON COLUMN tallies.campaign IS 'other: all that are not listed; null: all that are quiet';
    ALTER TABLE tally_changes ALTER COLUMN campaign DROP NOT NULL;
    DELETE FROM campaigns WHERE campaign = 'other';
    CREATE INDEX campaigns_listed ON campaigns (active_at) WHERE listed;
    WITH gone AS (
        DELETE FROM tallies t USING campaigns k
        WHERE t.source = k.source AND t.campaign = k.campaign
            AND NOT (k.listed AND k.active_at > now() - interval '30 days')
        RETURNING t.*, CASE WHEN NOT k.listed THEN 'other' END AS label
    )
    INSERT INTO tallies AS t (clock, team, source, campaign, what, detail, amount, seen)
    SELECT clock, team, source, label, what, detail, sum(amount), min(seen) FROM gone GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (clock, team, source, campaign, what, detail) DO UPDATE SET amount = t.amount + excluded.amount
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
