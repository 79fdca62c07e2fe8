"""With which secrets people are named, so that ingest does not start without one of them."""

from alembic import op

from relance.migrations import statements

revision = "0006"
down_revision = "0005"

SECRETS = """
    CREATE TABLE identity_secrets (
        fingerprint text PRIMARY KEY,
        since timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE identity_secrets IS 'Secrets that leads'' person_keys were made with; noted when ingest starts';
    COMMENT ON COLUMN identity_secrets.fingerprint IS 'HMAC of a constant, which tells nothing of the secret'
"""


def upgrade() -> None:
    for statement in statements(SECRETS):
        op.execute(statement)
