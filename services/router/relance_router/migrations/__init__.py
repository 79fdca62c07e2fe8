"""The router's tables, as Alembic revisions."""
