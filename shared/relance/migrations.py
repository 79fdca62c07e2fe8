"""Alembic, run by the service itself in its own schema, and the tables that every service has.

Expand first, contract in a later release: old and new code run side by side during a deployment.
"""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from relance.database import Database
from relance.kafka.topics import create_topics
from relance.settings import ServiceSettings

OUTBOX_V1 = """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        aggregate_type text NOT NULL,
        aggregate_id text NOT NULL,
        type text NOT NULL,
        payload text NOT NULL,
        headers jsonb NOT NULL,
        occurred_at timestamptz NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
"""
INBOX_V1 = """
    CREATE TABLE inbox (
        consumer text NOT NULL,
        event_id uuid NOT NULL,
        handled_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer, event_id)
    );
    CREATE INDEX inbox_handled_at ON inbox USING brin (handled_at)
"""
INBOX_V2 = """
    CREATE TABLE consumed (
        consumer text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        next_offset bigint NOT NULL,
        PRIMARY KEY (consumer, topic, partition)
    ) WITH (fillfactor = 50);
    COMMENT ON TABLE consumed IS 'How far each consumer''s effects reach; the topic is named without its prefix'
"""


def statements(*scripts: str) -> list[str]:
    """The statements of SQL scripts, each of which ends in a semicolon at the end of its line (the last may not)."""
    return [statement for script in scripts for statement in script.split(";\n") if statement.strip()]


class MigrationFailed(Exception):
    """A revision could not be applied: says which, and which are. Its cause says why."""


_PATIENCE = timedelta(hours=1)
"""One statement of a migration may have to rewrite a large table."""
_ONE_AT_A_TIME = text("SELECT pg_advisory_lock(hashtext(:name))")


async def prepare(settings: ServiceSettings, *, schema: str, folder: Path, groups: Iterable[str]) -> None:
    """Bring a service's tables to the newest revision in `folder`, and create the topics that are missing."""
    database = Database(settings.database_url, schema=schema, pool_size=1, timeout=_PATIENCE)
    try:
        await upgrade(database, folder)
    finally:
        await database.close()
    await create_topics(settings, groups)


async def upgrade(database: Database, folder: Path) -> None:
    """Bring the schema to the newest revision; replicas that start together take turns.

    Each revision is a transaction of its own, so that none holds the locks of those before it while it waits for what a
    replica at work holds, which may wait for those.

    Raises:
        MigrationFailed: a revision could not be applied; those before it are.
    """
    config = Config()
    config.set_main_option("script_location", str(folder))

    def run(connection: Connection) -> None:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError:  # of the folder, or a newer release has been here
            raise
        except Exception as error:
            if connection.invalidated:
                raise
            connection.rollback()
            raise _failed(connection, config, database.schema) from error

    async with database.session() as connection:
        # The session has it, whatever becomes of its transactions, and as long as it lasts.
        await connection.execute(_ONE_AT_A_TIME, {"name": f"{database.schema}_migrations"})
        await connection.commit()
        await connection.run_sync(run)


def _failed(connection: Connection, config: Config, schema: str) -> MigrationFailed:
    done = MigrationContext.configure(connection).get_current_revision()
    *_, failed = ScriptDirectory.from_config(config).iterate_revisions("head", done or "base")
    applied = f"those up to {done} are applied" if done else "none is applied"
    return MigrationFailed(
        f"Revision {failed.revision} of schema {schema} failed and has changed nothing; {applied}. "
        f"Mend what the cause says and migrate again: it goes on with {failed.revision}."
    )


def run_environment() -> None:
    """What a service's env.py does."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    context.run_migrations()
