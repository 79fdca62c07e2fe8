"""Alembic's entry; everything is in relance.migrations."""

from relance.migrations import run_environment

run_environment()
