"""What the board reads every second: open clocks of a team by deadline, and clocks that stopped lately."""

from alembic import op

from relance.migrations import statements

revision = "0005"
down_revision = "0004"

INDEXES = """
    CREATE INDEX open_by_deadline ON clocks (clock, team, deadline) WHERE stopped_at IS NULL;
    CREATE INDEX by_stop ON clocks (clock, stopped_at) WHERE stopped_at IS NOT NULL
"""


def upgrade() -> None:
    for statement in statements(INDEXES):
        op.execute(statement)
