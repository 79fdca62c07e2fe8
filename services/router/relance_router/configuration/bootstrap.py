"""The first configuration: from a file, when none was ever applied."""

import asyncio
from functools import partial
from pathlib import Path

from relance.database import Database
from relance.start_up import once_there
from relance_router.configuration.history import read_history
from relance_router.configuration.routing_file import ConfigurationRefused
from relance_router.configuration.versions import AppliedMeanwhile, ConfigurationVersions


class SeedRefused(ValueError):
    """The file cannot be the first configuration; says what to mend, line by line."""


async def seed(database: Database, versions: ConfigurationVersions, file: Path) -> None:
    """Apply the file as version 1 if there is no version yet; waits for a database that is away.

    Once there is a version the file means nothing: a restart must not undo what was applied or rolled back since.

    Raises:
        SeedRefused: it would be needed, and is wrong.
    """
    await once_there(partial(_seed, database, versions, file))


async def check(database: Database, versions: ConfigurationVersions) -> None:
    """For /readyz.

    Raises:
        NoConfiguration: nothing can be decided; says what to do.
    """
    async with database.transaction() as connection:
        await versions.newest(connection)


async def _seed(database: Database, versions: ConfigurationVersions, file: Path) -> None:
    async with database.transaction() as connection:
        if (await read_history(connection, before=None, limit=1)).versions:
            return
    content = await asyncio.to_thread(_read, file)
    try:
        async with database.transaction() as connection:
            await versions.apply(
                connection, content, expected=0, by="router", comment=f"the first one, from {file.name}"
            )
    except AppliedMeanwhile:
        return  # another replica was first
    except ConfigurationRefused as error:
        lines = "\n".join(f"{file}:{fault.line}: {fault.reason}" for fault in error.found)
        raise SeedRefused(f"{lines}\nThe first configuration is wrong: mend the lines above.") from error


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SeedRefused(f"{file} cannot be read, and no configuration was applied yet: {error}.") from error
