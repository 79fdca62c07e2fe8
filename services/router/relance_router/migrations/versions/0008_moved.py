"""Assignments end in another way: a manager gives the lead to somebody else."""

from alembic import op

from relance.migrations import statements

revision = "0008"
down_revision = "0007"

TABLES = """
    ALTER TABLE assignments
        DROP CONSTRAINT assignments_state_check,
        DROP CONSTRAINT assignments_check,
        ADD CONSTRAINT assignments_state_check
            CHECK (state IN ('open', 'acknowledged', 'contacted', 'declined', 'reassigned', 'moved')),
        ADD CONSTRAINT assignments_check
            CHECK ((ended_at IS NOT NULL) = (state IN ('declined', 'reassigned', 'moved')))
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
