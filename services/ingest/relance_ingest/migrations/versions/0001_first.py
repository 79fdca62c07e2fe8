"""Leads as accepted, and what managers may read of them."""

from alembic import op

from relance.migrations import INBOX_V1, OUTBOX_V1, statements

revision = "0001"
down_revision = None

TABLES = """
    CREATE TABLE leads (
        id uuid PRIMARY KEY,
        source text NOT NULL,
        channel text NOT NULL CHECK (channel IN ('form', 'call', 'partner')),
        campaign text,
        idempotency_key text NOT NULL,
        fingerprint bytea NOT NULL,
        received_at timestamptz NOT NULL,
        data jsonb NOT NULL,
        UNIQUE (source, idempotency_key)
    );
    COMMENT ON COLUMN leads.fingerprint IS 'SHA-256 of what was sent, to tell a repetition from a key used twice';
    COMMENT ON COLUMN leads.data IS 'relance.lead.received.v1, as sent to the router'
"""
VIEWS = """
    CREATE VIEW reporting.leads AS SELECT id AS lead_id, source, channel, campaign, received_at FROM leads
"""


def upgrade() -> None:
    for statement in statements(TABLES, OUTBOX_V1, INBOX_V1, VIEWS):
        op.execute(statement)
