"""Leads that a manager gave to somebody else: nothing of their former clocks goes on."""

from alembic import op

from relance.migrations import statements

revision = "0017"
down_revision = "0015"

TABLES = """
    ALTER TABLE stops DROP CONSTRAINT stops_cause_check;
    ALTER TABLE stops ADD CONSTRAINT stops_cause_check CHECK (cause IN (
        'acknowledged', 'contacted', 'declined', 'reassigned', 'moved', 'erased', 'accepted', 'rejected', 'won', 'lost'
    ))
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
