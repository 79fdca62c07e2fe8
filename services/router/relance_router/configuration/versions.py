"""Configuration versions in the database: the newest runs, on every replica, from the same message on.

Whoever decides with a configuration shares a lock until its transaction ends; applying takes the lock alone. So an
apply waits for the batches in hand, no decision with the version before commits after it, and the offsets that the
consumer has reached by then are where every replica switches.

Take the lock before any row of a lead, team or rep. Applying asks for none of them, so it may be waited for by
transactions that hold rows of the inbox only; one that held a lead would stand in the way of a batch that goes before.
"""

import asyncio
import hashlib
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.faults import TryLater
from relance_router.configuration.documents import Version
from relance_router.configuration.routing_file import ConfigurationRefused, parse
from relance_router.domain.configuration import Configuration
from relance_router.metrics import CONFIGURATION_VERSION

# Statements of their own: what follows must see what was committed while the lock was waited for.
_SHARE = text("SELECT pg_advisory_xact_lock_shared(hashtext('router_configurations'))")
_HAVE_ALONE = text("SELECT pg_advisory_xact_lock(hashtext('router_configurations'))")
_COLUMNS = "version, sha256, applied_at, applied_by, comment, rolled_back_to, switched_at"
_NEWEST = text(f"SELECT {_COLUMNS} FROM configurations ORDER BY version DESC LIMIT 1")
_NEWEST_NUMBER = text("SELECT max(version) FROM configurations")
_CONTENT = text("SELECT content FROM configurations WHERE version = :version")
_ADD = text(f"""
    INSERT INTO configurations (content, sha256, applied_by, comment, rolled_back_to, switched_at)
    SELECT :content, :sha256, :by, :comment, CAST(:rolled_back_to AS integer),
        coalesce(jsonb_object_agg(topic, offsets), '{{}}')
    FROM (
        SELECT topic, jsonb_object_agg(partition, next_offset) AS offsets
        FROM consumed WHERE consumer = :consumer GROUP BY topic
    ) AS reached
    RETURNING {_COLUMNS}
""")


_FORMER = 8
"""Versions kept parsed, for whoever explains what they decided."""


@dataclass(frozen=True)
class Running:
    """A configuration and its version."""

    version: int
    configuration: Configuration


class NoConfiguration(TryLater):
    """There is none that could run: none was ever applied, or this release cannot read the newest."""


class AppliedMeanwhile(RuntimeError):
    """Another version runs than the caller knows of; nothing was changed."""


class NoSuchVersion(LookupError):
    """There is no version of this number."""


class ConfigurationVersions:
    """Reads the newest version, parsing it once, and adds others."""

    def __init__(self, consumer: str = "router") -> None:
        """`consumer` is the group whose offsets say where a version begins."""
        self._consumer = consumer
        self._running: Running | None = None
        self._former: dict[int, Running] = {}

    async def running(self, connection: AsyncConnection) -> Running:
        """The newest version, which stays the newest until this transaction ends.

        Raises:
            NoConfiguration: there is none that could run.
        """
        await connection.execute(_SHARE)
        return await self.newest(connection)

    async def newest(self, connection: AsyncConnection) -> Running:
        """The newest version, for whoever decides nothing with it.

        Raises:
            NoConfiguration: there is none that could run.
        """
        version = (await connection.execute(_NEWEST_NUMBER)).scalar_one()
        if version is None:
            raise NoConfiguration("No routing configuration has been applied: do so with `relance apply FILE`.")
        if self._running is None or self._running.version != version:
            content = (await connection.execute(_CONTENT, {"version": version})).scalar_one()
            try:
                # In a thread: other work goes on while a large file is read.
                configuration = await asyncio.to_thread(parse, content, f"configuration {version}")
            except ConfigurationRefused as error:
                raise NoConfiguration(
                    f"This release cannot run what was applied, so apply a mended one: {error}"
                ) from error
            self._running = Running(version, configuration)
            CONFIGURATION_VERSION.set(version)
        return self._running

    async def apply(
        self,
        connection: AsyncConnection,
        content: str,
        *,
        expected: int | None = None,
        by: str = "unknown",
        comment: str = "",
        rolled_back_to: int | None = None,
    ) -> tuple[Version, bool]:
        """Make `content` the newest version, if `expected` is (0: there is none; None: whichever is).

        Returns what runs then, and whether it is new: content that runs already is left running.

        Raises:
            ConfigurationRefused: with every fault found.
            AppliedMeanwhile: another version than `expected` runs.
        """
        # In a thread, and before the lock: a large file takes a while, and all routing waits for whoever has the lock.
        await asyncio.to_thread(parse, content, "routing.yaml")
        await connection.execute(_HAVE_ALONE)
        row = (await connection.execute(_NEWEST)).one_or_none()
        newest = None if row is None else Version.model_validate(row)
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        if newest is not None and newest.sha256 == sha256:
            return newest, False
        if expected is not None and expected != (newest.version if newest else 0):
            raise AppliedMeanwhile(_meanwhile(newest, expected))
        values = {
            "content": content,
            "sha256": sha256,
            "by": by,
            "comment": comment,
            "rolled_back_to": rolled_back_to,
            "consumer": self._consumer,
        }
        return Version.model_validate((await connection.execute(_ADD, values)).one()), True

    async def roll_back(
        self, connection: AsyncConnection, to: int, *, expected: int, by: str, comment: str = ""
    ) -> tuple[Version, bool]:
        """Make the content of version `to` the newest version; otherwise as `apply`.

        Raises:
            NoSuchVersion: there is no version `to`.
            ConfigurationRefused: this release would not run it.
            AppliedMeanwhile: another version than `expected` runs.
        """
        content = (await connection.execute(_CONTENT, {"version": to})).scalar_one_or_none()
        if content is None:
            raise NoSuchVersion(f"There is no version {to}: `relance history` lists them.")
        return await self.apply(connection, content, expected=expected, by=by, comment=comment, rolled_back_to=to)

    async def version(self, connection: AsyncConnection, version: int) -> Running:
        """A version that ran at some time, which is in the books."""
        if version not in self._former:
            content = (await connection.execute(_CONTENT, {"version": version})).scalar_one()
            configuration = await asyncio.to_thread(parse, content, f"configuration {version}")
            if len(self._former) == _FORMER:
                del self._former[next(iter(self._former))]
            self._former[version] = Running(version, configuration)
        return self._former[version]

    def teams_of(self, rep: str) -> frozenset[str]:
        """The teams that a rep is in, as far as this process knows."""
        return self._running.configuration.teams_of.get(rep, frozenset()) if self._running else frozenset()


def _meanwhile(newest: Version | None, expected: int) -> str:
    if newest is None:
        return f"Version {expected} does not run: none was ever applied. Nothing was changed."
    return (
        f"Version {newest.version} runs, applied by {newest.applied_by} at {newest.applied_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"and not version {expected} as you expected. Nothing was changed: look at it, then try again."
    )
