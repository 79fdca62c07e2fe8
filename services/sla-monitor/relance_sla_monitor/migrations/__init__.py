"""The SLA monitor's tables, as Alembic revisions."""
