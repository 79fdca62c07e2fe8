"""How far the consumer's effects reach."""

from alembic import op

from relance.migrations import INBOX_V2, statements

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for statement in statements(INBOX_V2):
        op.execute(statement)
