"""Applying routing.yaml whenever it changes. A wrong file is refused, and what runs goes on running."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from relance.database import Database
from relance.logs import get_logger
from relance_router.configuration.routing_file import ConfigurationRefused, parse
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.metrics import CONFIGURATION_REFUSED

log = get_logger(__name__)

LOOK_EVERY = timedelta(seconds=1)


class ConfigurationWatcher:
    """Looks at the file's content, which works on every file system, also where mounted files are swapped."""

    def __init__(
        self, file: Path, database: Database, versions: ConfigurationVersions, on_applied: Callable[[], None]
    ) -> None:
        self._file = file
        self._database = database
        self._versions = versions
        self._on_applied = on_applied
        self._seen: str | None = None
        self.refused: str | None = None
        """Why the file's present content does not run; None when it does."""

    async def check(self) -> None:
        """For /readyz: a router without any configuration is not ready; one whose file is wrong runs on."""
        async with self._database.transaction() as connection:
            await self._versions.running(connection)

    async def look(self) -> timedelta:
        """Apply the file's content if it is new and right; returns when to look next."""
        await self._look()
        return LOOK_EVERY

    async def _look(self) -> None:
        try:
            content = self._file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            self._seen = None
            self._refuse(f"{self._file}: cannot be read: {error}")
            return
        if content == self._seen:
            return
        try:
            parse(content, str(self._file))
        except ConfigurationRefused as error:
            self._seen = content
            self._refuse(str(error))
            return
        async with self._database.transaction() as connection:
            version = await self._versions.apply(connection, content)
        # Only now: had the database been away, the file would still be new the next time.
        self._seen = content
        self.refused = None
        CONFIGURATION_REFUSED.set(0)
        if version is not None:
            log.info("configuration applied", version=version)
            self._on_applied()

    def _refuse(self, reason: str) -> None:
        if reason != self.refused:
            log.error("configuration refused, the running one stays", reason=reason)
        self.refused = reason
        CONFIGURATION_REFUSED.set(1)
