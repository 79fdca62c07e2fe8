"""Configurations say who applied them, why, and from which message on they decide; none is ever changed."""

from alembic import op

from relance.migrations import INBOX_V2, statements

revision = "0006"
down_revision = "0005"

TABLES = """
    ALTER TABLE configurations
        ADD COLUMN applied_by text NOT NULL DEFAULT 'unknown',
        ADD COLUMN comment text NOT NULL DEFAULT '',
        ADD COLUMN rolled_back_to integer REFERENCES configurations,
        ADD COLUMN switched_at jsonb NOT NULL DEFAULT '{}';
    COMMENT ON COLUMN configurations.switched_at IS
        'By topic and partition the first offset that this version decided; a partition that is missing: from 0';
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''configuration versions are never changed: apply another one''; END';
    CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON configurations
        FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    for statement in statements(INBOX_V2, TABLES):
        op.execute(statement)
