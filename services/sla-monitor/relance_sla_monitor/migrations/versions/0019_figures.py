"""Until when breaches have been counted: whoever only reads keeps none from it."""

from alembic import op

from relance.migrations import statements

revision = "0019"
down_revision = "0017"

TABLES = """
    CREATE TABLE settled (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        until timestamptz NOT NULL
    );
    COMMENT ON TABLE settled IS 'A count took deadlines before this for overdue, and later counts do, too'
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
