"""What other people have sent before, and what operators have decided on quarantined leads."""

from alembic import op

from relance.migrations import statements

revision = "0003"
down_revision = "0002"

TABLES = """
    CREATE UNLOGGED TABLE sightings (
        thing bytea NOT NULL,
        person bytea NOT NULL,
        seen_at timestamptz NOT NULL,
        until timestamptz NOT NULL,
        PRIMARY KEY (thing, person)
    );
    COMMENT ON TABLE sightings IS 'Hashes of texts and form tokens, to tell repetitions; of no value after a crash';
    COMMENT ON COLUMN sightings.person IS 'Hash of the thing and the person together: it links nobody''s submissions';
    CREATE INDEX sightings_until ON sightings (until);
    CREATE TABLE quarantine_decisions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        lead_id uuid NOT NULL REFERENCES leads ON DELETE CASCADE,
        decision text NOT NULL CHECK (decision IN ('released', 'discarded')),
        decided_by text NOT NULL,
        reason text,
        decided_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX quarantine_decisions_lead_id ON quarantine_decisions (lead_id, id);
    CREATE INDEX leads_suspected ON leads (id) WHERE suspicions <> '{}'
"""
VIEWS = """
    CREATE VIEW reporting.quarantine AS
        SELECT id AS lead_id, source, channel, campaign, received_at, suspicions,
            CASE WHEN released_at IS NOT NULL THEN 'released' WHEN discarded_at IS NOT NULL THEN 'discarded'
                ELSE 'waiting' END AS state,
            coalesce(released_at, discarded_at) AS decided_at
        FROM leads WHERE suspicions <> '{}'
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
