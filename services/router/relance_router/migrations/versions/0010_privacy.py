"""Leads can be erased, and sealed: what views and figures need of them stands in columns of its own."""

from alembic import op

from relance.migrations import statements

revision = "0010"
down_revision = "0009"

# Leads that are there are not rewritten, which would stop the router for a minute per million; and replicas of the
# release before go on writing leads without the columns. Views look into the data of both; `encrypt` fills the columns.
TABLES = """
    ALTER TABLE leads
        ADD COLUMN source text,
        ADD COLUMN channel text,
        ADD COLUMN campaign text,
        ADD COLUMN received_at timestamptz,
        ADD COLUMN erased_at timestamptz;
    COMMENT ON COLUMN leads.source IS 'Null, with the three beside it, of a lead of before: see data';
    COMMENT ON COLUMN leads.data IS
        'relance.lead.received.v1, as last revised; a string when sealed; of an erased lead what names nobody';
    COMMENT ON COLUMN leads.identity IS 'Pseudonym of the person; null: erased';
    COMMENT ON COLUMN leads.erased_at IS 'Since then nothing here says who it was, and nobody is given the lead';
    ALTER TABLE assignments
        DROP CONSTRAINT assignments_state_check,
        DROP CONSTRAINT assignments_check,
        ADD CONSTRAINT assignments_state_check
            CHECK (state IN ('open', 'acknowledged', 'contacted', 'declined', 'reassigned', 'moved', 'erased')),
        ADD CONSTRAINT assignments_check
            CHECK ((ended_at IS NOT NULL) = (state IN ('declined', 'reassigned', 'moved', 'erased')));
    ALTER TABLE offers
        DROP CONSTRAINT offers_state_check,
        ADD CONSTRAINT offers_state_check
            CHECK (state IN ('open', 'claimed', 'taken', 'declined', 'expired', 'erased'))
"""
_OF_LEAD = """
    coalesce(l.source, l.data ->> 'source') AS source, coalesce(l.campaign, l.data ->> 'campaign') AS campaign,
    coalesce(l.channel, l.data ->> 'channel') AS channel
"""
VIEWS = f"""
    CREATE OR REPLACE VIEW reporting.assignments AS
        SELECT a.id AS assignment_id, a.lead_id, a.ordinal, a.rep, a.team, a.rule, a.state, a.configuration,
            {_OF_LEAD},
            coalesce(l.received_at, CAST(l.data ->> 'received_at' AS timestamptz)) AS received_at,
            a.assigned_at, a.respond_by, a.ended_at
        FROM assignments a JOIN leads l ON l.id = a.lead_id;
    CREATE OR REPLACE VIEW reporting.unrouted AS
        SELECT u.lead_id, u.reason, u.since, u.tried_at, u.configuration, {_OF_LEAD}, u.until, u.teams
        FROM unrouted u JOIN leads l ON l.id = u.lead_id;
    CREATE OR REPLACE VIEW reporting.dispositions AS
        SELECT d.assignment_id, d.sequence, d.disposition, d.reason, d.recorded_at,
            d.sequence = max(d.sequence) OVER (PARTITION BY d.assignment_id) AS newest,
            a.lead_id, a.rep, a.team, a.rule, {_OF_LEAD}
        FROM dispositions d JOIN assignments a ON a.id = d.assignment_id JOIN leads l ON l.id = a.lead_id;
    CREATE OR REPLACE VIEW reporting.touches AS
        SELECT l.id AS lead_id, l.joined, l.routed_at AS joined_at, {_OF_LEAD} FROM leads l WHERE l.joined IS NOT NULL
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
