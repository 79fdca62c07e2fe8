"""Until when breaches have been counted; tallies of campaigns that have series, only; windows kept stay counted."""

from alembic import op

from relance.migrations import statements

revision = "0019"
down_revision = "0018"

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
# A counter that falls is taken for a restart. The rest of what is counted (0016) stays as it is.
KEPT = """
    DO $do$
    BEGIN
        EXECUTE replace(
            pg_get_functiondef('tally_changed'::regproc),
            'is_kept::integer - was_kept::integer', '(is_kept AND NOT was_kept)::integer'
        );
    END
    $do$
"""


def upgrade() -> None:
    for statement in (*statements(TABLES), KEPT):
        op.execute(statement)
