"""Configuration versions in the database: the newest runs, on every replica, from its next transaction on."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.faults import TryLater
from relance_router.configuration.routing_file import parse
from relance_router.domain.configuration import Configuration
from relance_router.metrics import CONFIGURATION_VERSION

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('router_configurations'))")
_NEWEST = text("SELECT version, sha256 FROM configurations ORDER BY version DESC LIMIT 1")
_CONTENT = text("SELECT content FROM configurations WHERE version = :version")
_ADD = text("INSERT INTO configurations (content, sha256) VALUES (:content, :sha256) RETURNING version")


@dataclass(frozen=True)
class Running:
    """A configuration and its version."""

    version: int
    configuration: Configuration


class NoConfiguration(TryLater):
    """No configuration was ever applied."""


class ConfigurationVersions:
    """Reads the newest version, parsing it once."""

    def __init__(self) -> None:
        self._running: Running | None = None

    async def running(self, connection: AsyncConnection) -> Running:
        """The newest version, as this transaction sees it.

        Raises:
            NoConfiguration: there is none.
        """
        newest = (await connection.execute(_NEWEST)).one_or_none()
        if newest is None:
            raise NoConfiguration("No routing configuration has been applied: give the router a valid routing file.")
        if self._running is None or self._running.version != newest.version:
            content = (await connection.execute(_CONTENT, {"version": newest.version})).scalar_one()
            self._running = Running(newest.version, parse(content, f"configuration {newest.version}"))
            CONFIGURATION_VERSION.set(newest.version)
        return self._running

    async def apply(self, connection: AsyncConnection, content: str) -> int | None:
        """Make `content`, which has been parsed, the newest version; None when it is that already."""
        await connection.execute(_LOCK)
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        newest = (await connection.execute(_NEWEST)).one_or_none()
        if newest is not None and newest.sha256 == sha256:
            return None
        version: int = (await connection.execute(_ADD, {"content": content, "sha256": sha256})).scalar_one()
        return version

    async def version(self, connection: AsyncConnection, version: int) -> Running:
        """A version that ran at some time."""
        if self._running is None or self._running.version != version:
            content = (await connection.execute(_CONTENT, {"version": version})).scalar_one()
            return Running(version, parse(content, f"configuration {version}"))
        return self._running

    def teams_of(self, rep: str) -> frozenset[str]:
        """The teams that a rep is in, as far as this process knows."""
        return self._running.configuration.teams_of.get(rep, frozenset()) if self._running else frozenset()
