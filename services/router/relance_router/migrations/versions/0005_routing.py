"""What routing keeps: every change of a team's line, offers, pauses, who knows whom, and until when a lead is held."""

from alembic import op

from relance.migrations import statements

revision = "0005"
down_revision = "0004"

TABLES = """
    ALTER TABLE teams
        ADD COLUMN changes bigint NOT NULL DEFAULT 0,
        ADD COLUMN returned integer NOT NULL DEFAULT 0;
    COMMENT ON COLUMN teams.changes IS 'Number of the newest change of a place in the line';
    COMMENT ON COLUMN teams.returned IS 'Leads given back that have moved virtual_time: so many next do not move it';
    ALTER TABLE places ADD COLUMN away_because text;
    CREATE TABLE place_changes (
        team text NOT NULL REFERENCES teams,
        number bigint NOT NULL,
        rep text NOT NULL,
        start numeric NOT NULL,
        away_since numeric,
        away_because text,
        PRIMARY KEY (team, rep, number)
    );
    INSERT INTO place_changes (team, number, rep, start, away_since)
        SELECT team, 0, rep, start, away_since FROM places;
    COMMENT ON TABLE place_changes IS 'Every place as it became, so that a decision can be made again as it was made';

    CREATE TABLE ignored_leads (rep text PRIMARY KEY, in_a_row integer NOT NULL);
    COMMENT ON TABLE ignored_leads IS 'Not in reps: counted before the lines are locked, and those rows after them';
    CREATE TABLE pauses (
        id uuid PRIMARY KEY,
        rep text NOT NULL,
        because text NOT NULL,
        paused_by text NOT NULL,
        paused_at timestamptz NOT NULL,
        resumed_by text,
        resumed_at timestamptz,
        CHECK ((resumed_by IS NULL) = (resumed_at IS NULL))
    );
    CREATE UNIQUE INDEX one_pause ON pauses (rep) WHERE resumed_at IS NULL;

    ALTER TABLE leads ADD COLUMN identity text, ADD COLUMN company_domain text;
    UPDATE leads SET identity = data ->> 'identity_key';
    CREATE INDEX leads_of_person ON leads (identity, routed_at);
    CREATE INDEX leads_of_company ON leads (company_domain, routed_at) WHERE company_domain IS NOT NULL;
    CREATE INDEX assignments_of_rep ON assignments (rep, assigned_at);
    DROP INDEX leads_in_hand;

    ALTER TABLE unrouted ADD COLUMN until timestamptz, ADD COLUMN teams text[] NOT NULL DEFAULT '{}';
    COMMENT ON COLUMN unrouted.until IS 'When it is tried again: somebody is back then, or an offer ends';
    CREATE TABLE offers (
        id uuid PRIMARY KEY,
        lead_id uuid NOT NULL REFERENCES leads,
        rep text NOT NULL,
        team text NOT NULL,
        state text NOT NULL CHECK (state IN ('open', 'claimed', 'taken', 'declined', 'expired')),
        offered_at timestamptz NOT NULL,
        until timestamptz NOT NULL,
        configuration integer NOT NULL REFERENCES configurations
    );
    COMMENT ON COLUMN offers.id IS 'That of the assignment, once it is claimed';
    CREATE INDEX offers_of_lead ON offers (lead_id);
    CREATE UNIQUE INDEX one_claim ON offers (lead_id) WHERE state = 'claimed'
"""
VIEWS = """
    CREATE OR REPLACE VIEW reporting.unrouted AS
        SELECT u.lead_id, u.reason, u.since, u.tried_at, u.configuration,
            l.data ->> 'source' AS source, l.data ->> 'campaign' AS campaign, l.data ->> 'channel' AS channel,
            u.until, u.teams
        FROM unrouted u JOIN leads l ON l.id = u.lead_id;
    CREATE VIEW reporting.pauses AS
        SELECT rep, paused_by, paused_at, resumed_by, resumed_at FROM pauses
"""


def upgrade() -> None:
    for statement in statements(TABLES, VIEWS):
        op.execute(statement)
