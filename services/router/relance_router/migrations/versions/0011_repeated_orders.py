"""What managers ask for with an idempotency key is done once, and answered the same when it is asked again."""

from alembic import op

from relance.migrations import statements

revision = "0011"
down_revision = "0010"

TABLES = """
    ALTER TABLE interventions
        ADD COLUMN idempotency_key text,
        ADD COLUMN asked jsonb,
        ADD COLUMN answer jsonb,
        ADD CHECK (num_nulls(idempotency_key, asked, answer) IN (0, 3)),
        ADD UNIQUE (lead_id, idempotency_key);
    COMMENT ON COLUMN interventions.asked IS 'What was asked for, beside by and reason: another order has another key';
    COMMENT ON COLUMN interventions.answer IS 'What it was answered with'
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
