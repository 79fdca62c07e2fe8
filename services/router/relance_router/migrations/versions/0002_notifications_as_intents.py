"""Notifications keep what they tell, not its words: those are written when it is sent."""

from alembic import op

from relance.migrations import statements

revision = "0002"
down_revision = "0001"

TABLES = """
    DROP VIEW reporting.notifications;
    ALTER TABLE notifications
        DROP CONSTRAINT notifications_assignment_id_fkey,
        DROP CONSTRAINT notifications_assignment_id_kind_key,
        ALTER COLUMN assignment_id DROP NOT NULL,
        ADD COLUMN key text,
        ADD COLUMN type text,
        ADD COLUMN details jsonb,
        ADD COLUMN lead_id uuid REFERENCES leads;
    UPDATE notifications n SET
        key = n.assignment_id || ':' || CASE n.kind WHEN 'assignment' THEN 'assigned' ELSE n.kind END,
        type = CAST(n.payload AS jsonb) ->> 'type',
        details = (CAST(n.payload AS jsonb) -> 'data') - 'lead' - 'answer' - 'assignment_id' - 'lead_id'
            || jsonb_build_object('at', CAST(n.payload AS jsonb) -> 'timestamp'),
        lead_id = (SELECT a.lead_id FROM assignments a WHERE a.id = n.assignment_id);
    ALTER TABLE notifications
        ALTER COLUMN key SET NOT NULL,
        ALTER COLUMN type SET NOT NULL,
        ALTER COLUMN details SET NOT NULL,
        ADD UNIQUE (key),
        DROP COLUMN kind,
        DROP COLUMN payload;
    COMMENT ON COLUMN notifications.key IS 'One notification per key, whatever is redelivered'
"""
VIEWS = """
    CREATE VIEW reporting.notifications AS
        SELECT id AS notification_id, assignment_id, type, endpoint, state, attempts, created_at, settled_at,
            last_status
        FROM notifications
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
