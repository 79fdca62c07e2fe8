"""A clock that is stored with its end counts as one that was started and stopped."""

from alembic import op

revision = "0008"
down_revision = "0006"

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
        RETURN NULL;
    END
    $$
"""
TRIGGER = """
    CREATE TRIGGER tally_rebuilt AFTER INSERT ON clocks REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tally_rebuilt()
"""


def upgrade() -> None:
    op.execute(TALLY_REBUILT)
    op.execute(TRIGGER)
