"""An assignment may keep windows of its own: where more became known of its lead, and its new rule's are longer."""

from alembic import op

from relance.migrations import statements

revision = "0012"
down_revision = "0011"

# Null adds nothing to the rows that are there.
TABLES = """
    ALTER TABLE assignments ADD COLUMN windows jsonb;
    COMMENT ON COLUMN assignments.windows IS
        'Seconds promised, by clock, each until that of the rule is edited; null: as the rule says'
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
