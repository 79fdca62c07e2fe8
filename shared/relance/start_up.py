"""What must be in order before a service starts."""

import asyncio
from collections.abc import Awaitable, Callable

from relance import faults
from relance.backoff import Backoff
from relance.error_text import error_text
from relance.logs import get_logger

log = get_logger(__name__)


class StartRefused(RuntimeError):
    """The service would do harm; says what is wrong, where, and what to do."""


async def once_there(check: Callable[[], Awaitable[None]]) -> None:
    """Do it; waits for a database that is away.

    Raises:
        StartRefused: as `check` says.
    """
    backoff = Backoff()
    while True:
        try:
            await check()
        except Exception as error:
            if not faults.is_transient(error):
                raise
            delay = backoff.advance()
            log.warning("not started yet", error=error_text(error), retry_in_seconds=delay.total_seconds())
            await asyncio.sleep(delay.total_seconds())
        else:
            return
