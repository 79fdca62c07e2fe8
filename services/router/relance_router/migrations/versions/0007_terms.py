"""The terms of assignments change, by configurations applied later and by hand; what was done by hand is on record."""

from alembic import op

from relance.migrations import statements

revision = "0007"
down_revision = "0006"

# What is null is as it was when the assignment was made: the rows of the release before need no change, and that
# release can go on writing some.
TABLES = """
    ALTER TABLE assignments
        ALTER COLUMN respond_by DROP NOT NULL,
        ADD COLUMN arm integer,
        ADD COLUMN terms_of integer,
        ADD COLUMN compared_with integer,
        ADD COLUMN revision integer NOT NULL DEFAULT 0,
        ADD COLUMN contact_by timestamptz,
        ADD COLUMN decide_by timestamptz,
        ADD COLUMN extended jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN holds jsonb NOT NULL DEFAULT '[]';
    COMMENT ON COLUMN assignments.respond_by IS 'Null: not known before the hold is released';
    COMMENT ON COLUMN assignments.arm IS 'Of the rule''s split, from 0; null: no split, or not stored';
    COMMENT ON COLUMN assignments.configuration IS 'The version that decided';
    COMMENT ON COLUMN assignments.terms_of IS 'The version whose terms hold; null: the one that decided';
    COMMENT ON COLUMN assignments.compared_with IS 'The newest version looked at for terms; null: the one that decided';
    COMMENT ON COLUMN assignments.revision IS 'How often the terms have changed';
    COMMENT ON COLUMN assignments.contact_by IS 'From the first change of terms on; before it, as the terms say';
    COMMENT ON COLUMN assignments.decide_by IS 'Like contact_by';
    COMMENT ON COLUMN assignments.extended IS 'Seconds added to windows by hand, by clock';
    CREATE INDEX terms_compared ON assignments (coalesce(compared_with, configuration))
        WHERE ended_at IS NULL AND disposition IS NULL;

    CREATE TABLE interventions (
        id uuid PRIMARY KEY,
        lead_id uuid NOT NULL REFERENCES leads,
        assignment_id uuid REFERENCES assignments,
        what text NOT NULL CHECK (what IN ('extended', 'held', 'released', 'reassigned')),
        by text NOT NULL,
        reason text NOT NULL,
        details jsonb NOT NULL,
        at timestamptz NOT NULL
    );
    CREATE INDEX interventions_of_lead ON interventions (lead_id, at);
    COMMENT ON TABLE interventions IS 'What operators did to leads by hand'
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
