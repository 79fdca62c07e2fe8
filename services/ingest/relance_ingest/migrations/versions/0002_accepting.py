"""Leads that are held back until somebody has looked at them, and leads of which more becomes known."""

from alembic import op

from relance.migrations import statements

revision = "0002"
down_revision = "0001"

LEADS = """
    ALTER TABLE leads
        ADD suspicions text[] NOT NULL DEFAULT '{}',
        ADD released_at timestamptz,
        ADD discarded_at timestamptz,
        ADD revised_at timestamptz;
    COMMENT ON COLUMN leads.suspicions IS 'Why it was quarantined; empty for a lead that was told at once';
    COMMENT ON COLUMN leads.data IS 'relance.lead.received.v1, as sent to the router, with what was revised since';
    CREATE INDEX leads_quarantined ON leads (received_at)
        WHERE suspicions <> '{}' AND released_at IS NULL AND discarded_at IS NULL
"""
VIEWS = """
    CREATE OR REPLACE VIEW reporting.leads AS
        SELECT id AS lead_id, source, channel, campaign, received_at,
            suspicions <> '{}' AND released_at IS NULL AS quarantined
        FROM leads
"""


def upgrade() -> None:
    for statement in statements(LEADS, VIEWS):
        op.execute(statement)
