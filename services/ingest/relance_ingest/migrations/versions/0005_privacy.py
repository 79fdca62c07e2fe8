"""Finding a person's leads by pseudonyms, erasing them, and the proof that others have erased theirs."""

from alembic import op

from relance.migrations import INBOX_V2, statements

revision = "0005"
down_revision = "0004"

# Leads that are there get their keys from the service, in steps: forms cannot wait until millions have theirs.
LEADS = """
    ALTER TABLE leads ADD person_keys text[], ADD erased_at timestamptz;
    COMMENT ON COLUMN leads.person_keys IS
        'Pseudonyms of all that it was told with, its identity_key first; null: of the version before';
    COMMENT ON COLUMN leads.erased_at IS 'Since when nothing personal is left of it';
    COMMENT ON COLUMN leads.data IS
        'relance.lead.received.v1, as sent to the router, with what was revised since; a string when it is sealed';
    CREATE INDEX leads_person_keys ON leads USING gin (person_keys);
    CREATE INDEX leads_without_person_keys ON leads (id) WHERE person_keys IS NULL;
    CREATE INDEX leads_not_erased ON leads (source, id) WHERE erased_at IS NULL
"""
ERASURES = """
    CREATE TABLE erasures (
        id uuid PRIMARY KEY,
        because text NOT NULL CHECK (because IN ('request', 'retention')),
        requested_by text,
        reason text,
        requested_at timestamptz NOT NULL,
        person_keys text[]
    );
    COMMENT ON COLUMN erasures.person_keys IS 'Whose leads are still to be erased; null once all are';
    CREATE INDEX erasures_under_way ON erasures (id) WHERE person_keys IS NOT NULL;
    CREATE TABLE erasure_parts (
        erasure_id uuid NOT NULL REFERENCES erasures,
        part integer NOT NULL,
        lead_ids uuid[] NOT NULL,
        proven_at timestamptz,
        PRIMARY KEY (erasure_id, part)
    );
    COMMENT ON COLUMN erasure_parts.proven_at IS 'When the last of the services proved that it has erased its rows';
    CREATE INDEX erasure_parts_not_proven ON erasure_parts (erasure_id) WHERE proven_at IS NULL;
    CREATE TABLE erasure_proofs (
        erasure_id uuid NOT NULL,
        part integer NOT NULL,
        service text NOT NULL,
        rows jsonb NOT NULL,
        erased_at timestamptz NOT NULL,
        PRIMARY KEY (erasure_id, part, service),
        FOREIGN KEY (erasure_id, part) REFERENCES erasure_parts
    )
"""


def upgrade() -> None:
    for statement in statements(LEADS, ERASURES, INBOX_V2):
        op.execute(statement)
