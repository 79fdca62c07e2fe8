"""What must be in order before a service starts."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import event

from relance import faults
from relance.backoff import Backoff
from relance.database import Database
from relance.error_text import error_text
from relance.logs import get_logger
from relance.ticker import Wake

log = get_logger(__name__)


class StartRefused(RuntimeError):
    """The service would do harm; says what is wrong, where, and what to do."""


async def once_there(check: Callable[[], Awaitable[None]]) -> None:
    """Do it; waits for a database that is away.

    Raises:
        StartRefused: as `check` says.
    """
    backoff, wake = Backoff(), Wake()
    while (wanting := await _wanting(check)) is not None:
        await wake.sleep(_until_next_try(backoff, wanting))


class StartCheck:
    """A part that lets nobody reach `database` before `check`, which has connections of its own, has passed.

    The others may run meanwhile: to them the database is away.
    """

    def __init__(self, database: Database, check: Callable[[], Awaitable[None]]) -> None:
        """Shuts the database."""
        self._check = check
        self._wanting: str | None = "it was not checked yet whether the service may start"
        self._wake = Wake()
        event.listen(database.engine.sync_engine, "do_connect", self._refuse)

    async def passes(self) -> bool:
        """Try once; false while the database is away.

        Raises:
            StartRefused: as `check` says.
        """
        self._wanting = await _wanting(self._check)
        return self._wanting is None

    def request_stop(self) -> None:
        """Wait no longer."""
        self._wake.request_stop()

    async def run(self) -> None:
        """Try until it passes.

        Raises:
            StartRefused: as `check` says.
        """
        backoff = Backoff()
        while self._wanting is not None and not self._wake.stopping and not await self.passes():
            await self._wake.sleep(_until_next_try(backoff, self._wanting))
        while not self._wake.stopping:
            await self._wake.sleep(timedelta(days=1))

    def _refuse(self, *_: object) -> None:
        if self._wanting is not None:
            raise faults.TryLater(f"not started yet: {self._wanting}")


async def _wanting(check: Callable[[], Awaitable[None]]) -> str | None:
    """Try once; what is away, or None when it has passed."""
    try:
        await check()
    except Exception as error:
        if not faults.is_transient(error):
            raise
        return error_text(error)
    return None


def _until_next_try(backoff: Backoff, wanting: str) -> timedelta:
    delay = backoff.advance()
    log.warning("not started yet", error=wanting, retry_in_seconds=delay.total_seconds())
    return delay
