"""More becomes known of leads, and several leads are one person's."""

from alembic import op

from relance.migrations import statements

revision = "0009"
down_revision = "0008"

TABLES = """
    ALTER TABLE leads
        ADD COLUMN revision integer NOT NULL DEFAULT 0,
        ADD COLUMN revised_at timestamptz;
    COMMENT ON COLUMN leads.data IS 'relance.lead.received.v1, as received or as last revised';
    COMMENT ON COLUMN leads.revision IS 'How often it was revised';
    CREATE TABLE replaced_leads (
        lead_id uuid NOT NULL REFERENCES leads,
        revision integer NOT NULL,
        data jsonb NOT NULL,
        PRIMARY KEY (lead_id, revision)
    );
    COMMENT ON TABLE replaced_leads IS 'What was known of a lead before, by which decisions were made'
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
