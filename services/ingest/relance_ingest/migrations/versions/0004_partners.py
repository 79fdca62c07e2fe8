"""Leads of which a partner told only the id, until they are fetched."""

from alembic import op

from relance.migrations import statements

revision = "0004"
down_revision = "0003"

REFERENCES = """
    CREATE TABLE partner_references (
        source text NOT NULL,
        id text NOT NULL,
        told_at timestamptz NOT NULL DEFAULT now(),
        tries integer NOT NULL DEFAULT 0,
        next_try timestamptz DEFAULT now(),
        last_error text,
        PRIMARY KEY (source, id)
    );
    COMMENT ON TABLE partner_references IS 'Leads that are told and not yet fetched; gone once the lead is committed';
    COMMENT ON COLUMN partner_references.next_try IS 'None once it was given up; set it to now() to try again';
    CREATE INDEX partner_references_due ON partner_references (next_try)
"""


def upgrade() -> None:
    for statement in statements(REFERENCES):
        op.execute(statement)
