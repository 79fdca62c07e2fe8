"""What answers keep."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE assignments ADD COLUMN why text NOT NULL DEFAULT ''")
