"""Clocks that were given more time are at risk again later: counted once, and not meanwhile."""

from alembic import op

from relance.migrations import statements

revision = "0015"
down_revision = "0014"

TABLES = """
    CREATE INDEX risk_postponed ON clocks (risk_at) WHERE stopped_at IS NULL AND revision > 0
"""
# As in 0007, but that a step which fires again, due at another time, is another.
FUNCTION = """
    CREATE OR REPLACE FUNCTION tally_steps() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)
        SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), 'step', s.action || ' ' || s.step, count(*)
        FROM fired s JOIN clocks c USING (assignment_id, clock)
        GROUP BY 1, 2, 3, 4, 5, 6;
        INSERT INTO tally_changes (clock, team, source, campaign, what, detail, amount)
        SELECT c.clock, c.team, c.source, coalesce(c.campaign, ''), 'risky', '', count(*)
        FROM (SELECT DISTINCT assignment_id, clock FROM fired WHERE action = 'at_risk') r
            JOIN clocks c USING (assignment_id, clock)
        WHERE c.stopped_at IS NULL AND NOT EXISTS (
            SELECT FROM steps s
            WHERE s.assignment_id = r.assignment_id AND s.clock = r.clock AND s.action = 'at_risk' AND NOT EXISTS (
                SELECT FROM fired f
                WHERE f.assignment_id = s.assignment_id AND f.clock = s.clock
                    AND f.step = s.step AND f.occurrence = s.occurrence AND f.due_at = s.due_at
            )
        )
        GROUP BY 1, 2, 3, 4;
        RETURN NULL;
    END
    $$
"""


def upgrade() -> None:
    for statement in (*statements(TABLES), FUNCTION):
        op.execute(statement)
