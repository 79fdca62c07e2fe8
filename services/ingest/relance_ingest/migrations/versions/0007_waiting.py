"""What waits in the quarantine is found oldest or newest first, without what was decided."""

from alembic import op

from relance.migrations import statements

revision = "0007"
down_revision = "0006"

LEADS = """
    CREATE INDEX leads_waiting ON leads (id)
        WHERE suspicions <> '{}' AND released_at IS NULL AND discarded_at IS NULL;
    DROP INDEX leads_quarantined
"""


def upgrade() -> None:
    for statement in statements(LEADS):
        op.execute(statement)
