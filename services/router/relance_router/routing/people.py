"""Everybody at this moment, for operators; and pauses by hand."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance.ids import NewId
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.domain.configuration import Configuration, Rep
from relance_router.routing import pauses
from relance_router.routing.leads import transaction_time
from relance_router.routing.routing_state import everybody

_OPEN = text("SELECT rep, open_leads FROM reps")


class UnknownRep(LookupError):
    """The configuration that runs has no such rep."""


@dataclass(frozen=True)
class RepNow:
    """A rep at one moment. `absence` says why the rep takes no lead, `paused` the reason of a pause."""

    rep: Rep
    teams: frozenset[str]
    absence: str | None
    open_leads: int
    paused: str | None


class People:
    """Looks at people and pauses them."""

    def __init__(self, database: Database, versions: ConfigurationVersions, new_id: NewId) -> None:
        self._database = database
        self._versions = versions
        self._new_id = new_id

    async def now(self) -> list[RepNow]:
        """Every rep of the configuration that runs, in its order."""
        async with self._database.transaction() as connection:
            running = await self._versions.running(connection)
            return await _look(connection, running.configuration)

    async def pause(self, rep: str, *, because: str, by: str) -> RepNow:
        """Give a rep no more leads. Who is paused already stays so, for the first reason.

        Raises:
            UnknownRep: there is none.
        """
        async with self._database.transaction() as connection:
            configuration = (await self._versions.running(connection)).configuration
            _must_exist(configuration, rep)
            now = await transaction_time(connection)
            await pauses.pause(connection, configuration, {rep: because}, by=by, now=now, new_id=self._new_id)
            return await _one(connection, configuration, rep)

    async def resume(self, rep: str, *, by: str) -> RepNow:
        """Give a rep leads again; who is not paused stays so.

        Raises:
            UnknownRep: there is none.
        """
        async with self._database.transaction() as connection:
            configuration = (await self._versions.running(connection)).configuration
            _must_exist(configuration, rep)
            now = await transaction_time(connection)
            await pauses.resume(connection, configuration, rep, by=by, now=now, new_id=self._new_id)
            return await _one(connection, configuration, rep)


def _must_exist(configuration: Configuration, rep: str) -> None:
    if rep not in configuration.reps_by_id:
        raise UnknownRep(f"There is no rep {rep!r} in the configuration that runs. `relance reps` lists them.")


async def _one(connection: AsyncConnection, configuration: Configuration, rep: str) -> RepNow:
    return next(each for each in await _look(connection, configuration) if each.rep.id == rep)


async def _look(connection: AsyncConnection, configuration: Configuration) -> list[RepNow]:
    people = await everybody(connection, configuration, await transaction_time(connection))
    in_hand = {row.rep: row.open_leads for row in await connection.execute(_OPEN)}
    return [
        RepNow(
            rep=rep,
            teams=configuration.teams_of[rep.id],
            absence=people.absence(rep.id),
            open_leads=in_hand.get(rep.id, 0),
            paused=people.paused(rep.id),
        )
        for rep in configuration.reps
    ]
