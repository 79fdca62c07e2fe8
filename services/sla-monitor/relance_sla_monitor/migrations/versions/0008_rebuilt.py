"""A clock that is stored with its end counts as started and stopped; who waits unrouted; each spend has a number."""

from alembic import op

from relance.migrations import statements

revision = "0008"
down_revision = "0007"

# As when a clock stops (0006): only a rebuild stores clocks that have stopped.
TALLY_REBUILT = """
    CREATE FUNCTION tally_rebuilt() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)
        SELECT c.clock, c.team, c.source, coalesce(c.campaign, '') AS campaign, t.what, t.detail, sum(t.amount)
        FROM after c,
            LATERAL (SELECT extract(epoch FROM c.worked) AS seconds,
                extract(epoch FROM c.worked) / nullif(extract(epoch FROM c.response_window), 0) AS ratio) taken,
            LATERAL (VALUES
                ('seconds', coalesce((SELECT min(le) FROM unnest(ARRAY[
                    5, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 259200
                ]) le WHERE le >= seconds)::text, '+Inf'), 1),
                ('ratio', coalesce((SELECT min(le) FROM unnest(ARRAY[
                    0.1, 0.25, 0.5, 0.8, 1, 1.25, 1.5, 2, 5, 10
                ]) le WHERE le >= ratio)::text, '+Inf'), 1),
                ('seconds', 'sum', coalesce(seconds, 0)),
                ('ratio', 'sum', coalesce(ratio, 0))
            ) t (what, detail, amount)
        WHERE c.stopped_by <> 'reassigned'
        GROUP BY 1, 2, 3, 4, 5, 6;
        -- On hold when it was stopped, and so kept (0007).
        INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)
        SELECT clock, team, source, coalesce(campaign, ''), 'kept', '', count(*) FROM after
        WHERE stopped_at IS NOT NULL AND deadline IS NULL AND stopped_by <> 'reassigned'
        GROUP BY 1, 2, 3, 4;
        RETURN NULL;
    END
    $$
"""
TRIGGER = """
    CREATE TRIGGER tally_rebuilt AFTER INSERT ON clocks REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tally_rebuilt()
"""
TABLES = """
    ALTER TABLE unrouted_leads ADD COLUMN unrouted_at timestamptz, ADD COLUMN given_at timestamptz;
    UPDATE unrouted_leads u SET unrouted_at = received_at, given_at = (
        SELECT max(c.started_at) FROM clocks c WHERE c.lead_id = u.lead_id
    );
    ALTER TABLE unrouted_leads ALTER COLUMN unrouted_at SET NOT NULL;
    COMMENT ON COLUMN unrouted_leads.unrouted_at IS 'When it was last found that nobody could be given it';
    COMMENT ON COLUMN unrouted_leads.given_at IS 'When somebody was last given it';
    CREATE INDEX waiting ON unrouted_leads (unrouted_at) WHERE given_at IS NULL OR given_at < unrouted_at;

    ALTER TABLE spend ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE
"""


def upgrade() -> None:
    for statement in (TALLY_REBUILT, TRIGGER, *statements(TABLES)):
        op.execute(statement)
