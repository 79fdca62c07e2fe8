"""Clocks that a replica of a release before 0009 starts or moves, while replicas are replaced, show at risk too."""

from alembic import op

from relance.migrations import statements

revision = "0012"
down_revision = "0011"

FIRST_AT_RISK = """
    SELECT min(CAST(step ->> 'due_at' AS timestamptz))
    FROM jsonb_array_elements({}) AS step WHERE step ->> 'action' = 'at_risk'
"""
FUNCTION = f"""
    CREATE FUNCTION fill_risk_at() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.risk_at := ({FIRST_AT_RISK.format("NEW.steps")});
        RETURN NEW;
    END
    $$
"""
# Replicas of this release say it themselves: for what they write the function is hardly ever called.
TRIGGERS = f"""
    CREATE TRIGGER fill_risk_at_of_new BEFORE INSERT ON clocks FOR EACH ROW
        WHEN (NEW.risk_at IS NULL AND NEW.steps @> '[{{"action": "at_risk"}}]')
        EXECUTE FUNCTION fill_risk_at();
    CREATE TRIGGER fill_risk_at_of_moved BEFORE UPDATE OF steps ON clocks FOR EACH ROW
        WHEN (NEW.steps <> OLD.steps AND NEW.risk_at IS NOT DISTINCT FROM OLD.risk_at)
        EXECUTE FUNCTION fill_risk_at();
    UPDATE clocks SET risk_at = ({FIRST_AT_RISK.format("steps")})
    WHERE stopped_at IS NULL AND risk_at IS NULL AND steps @> '[{{"action": "at_risk"}}]'
"""


def upgrade() -> None:
    for statement in (FUNCTION, *statements(TRIGGERS)):
        op.execute(statement)
