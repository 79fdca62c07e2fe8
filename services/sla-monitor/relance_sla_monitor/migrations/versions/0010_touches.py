"""Leads that joined another one of the same person, and what each source is credited with."""

from alembic import op

from relance.migrations import statements

revision = "0010"
down_revision = "0009"

TABLES = """
    CREATE TABLE touches (
        lead_id uuid PRIMARY KEY,
        joined uuid,
        source text,
        channel text,
        campaign text,
        received_at timestamptz,
        joined_at timestamptz,
        separated_at timestamptz
    );
    COMMENT ON COLUMN touches.joined IS 'The lead that it joined; null, as all that comes with it: not heard of yet';
    COMMENT ON COLUMN touches.separated_at IS 'When it was last said to be a lead of its own';
    CREATE INDEX touches_joined ON touches (joined);
    CREATE INDEX touches_received_at ON touches (received_at)
"""
# A counter: whoever is separated has joined all the same.
TALLY = """
    CREATE FUNCTION tally_touches() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)
        VALUES ('', '', NEW.source, '', 'touch', '', 1);
        RETURN NULL;
    END
    $$
"""
TRIGGERS = """
    CREATE TRIGGER tally_joined AFTER INSERT ON touches
        FOR EACH ROW WHEN (NEW.joined_at IS NOT NULL) EXECUTE FUNCTION tally_touches();
    CREATE TRIGGER tally_joined_late AFTER UPDATE ON touches
        FOR EACH ROW WHEN (OLD.joined_at IS NULL AND NEW.joined_at IS NOT NULL) EXECUTE FUNCTION tally_touches()
"""
VIEWS = """
    CREATE VIEW reporting.scorecard_credits AS
        SELECT l.*, CAST(NULL AS uuid) AS joined FROM reporting.scorecard_leads l
        UNION ALL
        SELECT t.lead_id, 0, NULL, t.source, t.campaign, t.channel, l.team, l.rep, t.received_at,
            to_char(t.received_at AT TIME ZONE 'UTC', 'IYYY-"W"IW'), NULL, NULL, NULL, NULL, NULL, false, false, false,
            l.disposition, l.disposition_reason, l.disposed_at, false, t.joined
        -- A few touches are looked up one by one: OFFSET 0 keeps the planner from computing every lead there is.
        FROM touches t LEFT JOIN LATERAL (
            SELECT * FROM reporting.scorecard_leads each WHERE each.lead_id = t.joined OFFSET 0
        ) l ON true
        WHERE t.joined_at IS NOT NULL AND coalesce(t.joined_at > t.separated_at, true)
"""


def upgrade() -> None:
    for statement in (*statements(TABLES), TALLY, *statements(TRIGGERS, VIEWS)):
        op.execute(statement)
