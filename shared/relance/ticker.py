"""Work that is done again and again: at once when nudged, else when it is due next, and over every passing fault."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from relance import faults
from relance.backoff import Backoff
from relance.error_text import error_text
from relance.logs import get_logger
from relance.metrics import WORK_DUE

log = get_logger(__name__)


class Wake:
    """A sleep that somebody may cut short."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.stopping = False

    def nudge(self) -> None:
        """Say that there is something to do."""
        self._event.set()

    def request_stop(self) -> None:
        """Say that it is to end; `stopping` stays true."""
        self.stopping = True
        self._event.set()

    async def sleep(self, limit: timedelta) -> bool:
        """Sleep; returns whether a nudge came before the limit."""
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await self._event.wait()
        except TimeoutError:
            return False
        # Also when stopping: whoever drains must go on sleeping between turns, or starve what it waits for.
        self._event.clear()
        return True


class Ticker:
    """Calls `turn` until stopped. `turn` does what there is to do and says how long there will be nothing."""

    def __init__(
        self, name: str, turn: Callable[[], Awaitable[timedelta]], *, drained: Callable[[], bool] = lambda: True
    ) -> None:
        """After a stop is requested, `turn` is still called until `drained`."""
        self._name = name
        self._turn = turn
        self._drained = drained
        self._wake = Wake()

    @property
    def stopping(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._wake.stopping

    def nudge(self) -> None:
        """Call `turn` now."""
        self._wake.nudge()

    def request_stop(self) -> None:
        """Finish what is in hand."""
        self._wake.request_stop()

    async def run(self) -> None:
        """Tick until stopped and drained. A fault that will not pass ends it."""
        backoff = Backoff()
        due = time.time()
        WORK_DUE.labels(self._name).set(due)
        while not (self._wake.stopping and self._drained()):
            try:
                wait = await self._turn()
                backoff.reset()
                due = time.time() + wait.total_seconds()
            except Exception as error:
                if not faults.is_transient(error):
                    raise
                wait = backoff.advance()
                due = min(due, time.time())
                log.warning("trying again", work=self._name, error=error_text(error), in_seconds=wait.total_seconds())
            WORK_DUE.labels(self._name).set(due)
            if wait > timedelta():
                await self._wake.sleep(wait)
