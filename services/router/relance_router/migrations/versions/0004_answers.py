"""What leads were worth, why they were declined, and why a rep was chosen."""

from alembic import op

from relance.migrations import statements

revision = "0004"
down_revision = "0003"

TABLES = """
    ALTER TABLE assignments
        ADD COLUMN why text NOT NULL DEFAULT '',
        ADD COLUMN disposition text CHECK (disposition IN ('accepted', 'rejected', 'won', 'lost'));
    COMMENT ON COLUMN assignments.why IS 'Why this rep, in words for the rep';
    COMMENT ON COLUMN assignments.disposition IS 'The newest of dispositions';

    ALTER TABLE answers ADD COLUMN code text;
    COMMENT ON COLUMN answers.code IS 'Why it was declined, from the list; reason holds the rep''s own words';

    CREATE TABLE dispositions (
        assignment_id uuid NOT NULL REFERENCES assignments,
        sequence integer NOT NULL,
        disposition text NOT NULL CHECK (disposition IN ('accepted', 'rejected', 'won', 'lost')),
        reason text,
        note text,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (assignment_id, sequence),
        CHECK (reason IS NOT NULL OR disposition <> 'rejected')
    );
    COMMENT ON TABLE dispositions IS 'What sales said of leads, corrections included; guarded by the assignment''s lock'
"""
VIEWS = """
    CREATE OR REPLACE VIEW reporting.answers AS
        SELECT assignment_id, answer, responded_at, code AS reason FROM answers;
    CREATE VIEW reporting.dispositions AS
        SELECT d.assignment_id, d.sequence, d.disposition, d.reason, d.recorded_at,
            d.sequence = max(d.sequence) OVER (PARTITION BY d.assignment_id) AS newest,
            a.lead_id, a.rep, a.team, a.rule,
            l.data ->> 'source' AS source, l.data ->> 'campaign' AS campaign, l.data ->> 'channel' AS channel
        FROM dispositions d JOIN assignments a ON a.id = d.assignment_id JOIN leads l ON l.id = a.lead_id
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
