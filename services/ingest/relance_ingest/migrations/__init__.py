"""Ingest's tables, as Alembic revisions."""
