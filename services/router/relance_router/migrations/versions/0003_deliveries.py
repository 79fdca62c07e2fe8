"""Deliveries: the order per lead, e-mail, replays, how each endpoint is, and a row for every attempt."""

from alembic import op

from relance.migrations import statements

revision = "0003"
down_revision = "0002"

# The sequence is the order in which an endpoint hears of a lead: whoever writes notifications holds the lead's row, so
# that it is the order of commits. What is there already is numbered by its time; what was sent over and over before
# goes on where it was.
TABLES = """
    ALTER TABLE notifications
        ADD COLUMN sequence bigint,
        ADD COLUMN email_state text NOT NULL DEFAULT 'unsent' CHECK (email_state IN ('unsent', 'sent', 'failed')),
        ADD COLUMN email_attempts integer NOT NULL DEFAULT 0,
        ADD COLUMN email_from timestamptz,
        ADD COLUMN replays integer NOT NULL DEFAULT 0,
        ADD COLUMN due_since timestamptz;
    UPDATE notifications n SET sequence = numbered.place, email_from = n.created_at, due_since = n.created_at
    FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS place FROM notifications) numbered
    WHERE numbered.id = n.id;
    ALTER TABLE notifications
        ALTER COLUMN sequence SET NOT NULL,
        ALTER COLUMN sequence ADD GENERATED ALWAYS AS IDENTITY,
        ALTER COLUMN email_from SET NOT NULL,
        ALTER COLUMN email_from SET DEFAULT now(),
        ALTER COLUMN due_since SET NOT NULL,
        ALTER COLUMN due_since SET DEFAULT now(),
        ADD UNIQUE (sequence),
        ADD CHECK ((state = 'pending') = (settled_at IS NULL));
    SELECT setval(pg_get_serial_sequence('notifications', 'sequence'), coalesce(max(sequence), 0) + 1, false)
    FROM notifications;
    COMMENT ON COLUMN notifications.attempts IS 'At the tool, since it was written or last replayed';
    COMMENT ON COLUMN notifications.email_from IS 'Like next_attempt_at, for e-mail; before the fallback''s patience';
    COMMENT ON COLUMN notifications.due_since IS 'When it was written, or last replayed: retries count from here';

    DROP INDEX due;
    CREATE INDEX due ON notifications (endpoint, next_attempt_at) WHERE state = 'pending';
    CREATE INDEX email_due ON notifications (endpoint, email_from)
        WHERE settled_at IS NULL AND email_state = 'unsent';
    CREATE INDEX notifications_of_lead ON notifications (lead_id, endpoint, sequence);
    CREATE INDEX notifications_of_endpoint ON notifications (endpoint, sequence);
    CREATE INDEX pending_of_assignment ON notifications (assignment_id) WHERE state = 'pending';
    ALTER TABLE notifications SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

    CREATE TABLE endpoints (
        endpoint text PRIMARY KEY,
        address_sha256 text NOT NULL,
        failures integer NOT NULL,
        openings integer NOT NULL,
        open_until timestamptz,
        disabled_because text,
        changed_at timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE endpoints IS 'Endpoints that are not well, or were not; all others have no row';
    COMMENT ON COLUMN endpoints.address_sha256 IS 'Of the address that this is about: another one starts afresh';

    CREATE TABLE delivery_attempts (
        notification_id uuid NOT NULL REFERENCES notifications ON DELETE CASCADE,
        replay integer NOT NULL,
        way text NOT NULL CHECK (way IN ('webhook', 'slack', 'teams', 'email', 'none')),
        attempt integer NOT NULL,
        at timestamptz NOT NULL,
        status integer,
        error text,
        seconds double precision NOT NULL,
        response text,
        PRIMARY KEY (notification_id, replay, way, attempt)
    );
    CREATE INDEX attempts_by_age ON delivery_attempts USING brin (at);
    COMMENT ON COLUMN delivery_attempts.replay IS '0 for the first sending, 1 for the first replay ...';
    COMMENT ON COLUMN delivery_attempts.response IS
        'The beginning of the answer, without what the lead''s contact says of the person'
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
