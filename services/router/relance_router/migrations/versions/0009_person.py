"""More becomes known of leads, and several leads are one person's."""

from alembic import op

from relance.migrations import statements

revision = "0009"
down_revision = "0008"

TABLES = """
    ALTER TABLE leads
        ADD COLUMN revision integer NOT NULL DEFAULT 0,
        ADD COLUMN revised_at timestamptz,
        ADD COLUMN person_keys text[],
        ADD COLUMN joined uuid REFERENCES leads,
        ADD COLUMN joining jsonb,
        ADD CHECK ((joined IS NULL) = (joining IS NULL));
    COMMENT ON COLUMN leads.data IS 'relance.lead.received.v1, as received or as last revised';
    COMMENT ON COLUMN leads.revision IS 'How often it was revised';
    COMMENT ON COLUMN leads.person_keys IS 'Null: came in while same_person was not configured';
    COMMENT ON COLUMN leads.joined IS 'The lead of which this one is a touch: nobody owns a touch';
    COMMENT ON COLUMN leads.joining IS 'How the person was recognised, and which leads were considered';
    CREATE INDEX leads_by_person_key ON leads USING gin (person_keys) WITH (fastupdate = off)
        WHERE person_keys IS NOT NULL;
    CREATE INDEX touches ON leads (joined, id) WHERE joined IS NOT NULL;
    ALTER TABLE interventions
        DROP CONSTRAINT interventions_what_check,
        ADD CONSTRAINT interventions_what_check
            CHECK (what IN ('extended', 'held', 'released', 'reassigned', 'separated'));
    CREATE TABLE replaced_leads (
        lead_id uuid NOT NULL REFERENCES leads,
        revision integer NOT NULL,
        data jsonb NOT NULL,
        PRIMARY KEY (lead_id, revision)
    );
    COMMENT ON TABLE replaced_leads IS 'What was known of a lead before, by which decisions were made'
"""
VIEWS = """
    CREATE VIEW reporting.touches AS
        SELECT id AS lead_id, joined, routed_at AS joined_at,
            data ->> 'source' AS source, data ->> 'campaign' AS campaign, data ->> 'channel' AS channel
        FROM leads WHERE joined IS NOT NULL
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
