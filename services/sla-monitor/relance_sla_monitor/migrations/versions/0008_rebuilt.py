"""Who waits unrouted; each spend has a number."""

from alembic import op

from relance.migrations import statements

revision = "0008"
down_revision = "0007"

TABLES = """
    ALTER TABLE unrouted_leads ADD COLUMN unrouted_at timestamptz, ADD COLUMN given_at timestamptz;
    UPDATE unrouted_leads u SET unrouted_at = received_at, given_at = (
        SELECT max(c.started_at) FROM clocks c WHERE c.lead_id = u.lead_id
    );
    ALTER TABLE unrouted_leads ALTER COLUMN unrouted_at SET NOT NULL;
    COMMENT ON COLUMN unrouted_leads.unrouted_at IS 'When it was last found that nobody could be given it';
    COMMENT ON COLUMN unrouted_leads.given_at IS 'When somebody was last given it';
    CREATE INDEX waiting ON unrouted_leads (unrouted_at) WHERE given_at IS NULL OR given_at < unrouted_at;

    ALTER TABLE spend ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
