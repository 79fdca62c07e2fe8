"""One reader, however many look: it reads while somebody does, and tells each of what is new.

Nobody has a queue: a viewer is told that there is something new, and takes the newest when it is ready for it.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from relance.ticker import Ticker
from relance_sla_monitor.board.reading import Facts

EVERY = timedelta(seconds=1)
BEAT = timedelta(seconds=5)
"""How often viewers hear something, so that they know that they are connected."""
_IDLE = timedelta(hours=1)
_LEAST_REST = 0.2
_REST = 4
"""Reads take a fifth of the time at most, however much there is to read."""
_LINGER = 10.0
"""Seconds for which reading goes on after a page was asked for: its stream comes next."""
_FRESH = 2.0
_PATIENCE = 3.0


@dataclass(frozen=True)
class Shown:
    """A rendered board. The id is made of its content: the same on every replica and after every restart."""

    id: str
    html: str


class LiveBoard:
    """Part of the service: runs until stopped, and ends every stream then."""

    def __init__(self, read: Callable[[], Awaitable[Facts]], render: Callable[[Facts, str | None], Shown]) -> None:
        self._read = read
        self._render = render
        self._ticker = Ticker("board", self.turn)
        self._facts: Facts | None = None
        self._read_at = -math.inf
        self._not_before = 0.0
        self._wanted_until = 0.0
        self._news = asyncio.Event()
        self._shown: dict[str | None, Shown] = {}
        self.viewers = 0

    @property
    def now(self) -> datetime | None:
        """The database's clock; None before the first reading."""
        return self._facts.now + timedelta(seconds=time.monotonic() - self._read_at) if self._facts else None

    @property
    def read_at(self) -> datetime | None:
        """When it was last read, by the database's clock."""
        return self._facts.now if self._facts else None

    async def run(self) -> None:
        """Read whenever it is due, until stopped."""
        await self._ticker.run()

    def request_stop(self) -> None:
        """End every stream, so that the HTTP server has nothing to wait for."""
        self._ticker.request_stop()
        self._tell()

    def nudge(self) -> None:
        """Clocks have changed."""
        self._ticker.nudge()

    async def turn(self) -> timedelta:
        """Read, if somebody looks and the last reading is not too recent; returns how long to rest."""
        begun = time.monotonic()
        if not self.viewers and begun > self._wanted_until:
            return _IDLE
        if begun < self._not_before:
            return timedelta(seconds=self._not_before - begun)
        self._facts = await self._read()
        self._read_at = time.monotonic()
        rest = max(_LEAST_REST, _REST * (self._read_at - begun))
        self._not_before = self._read_at + rest
        self._shown.clear()
        self._tell()
        return max(EVERY, timedelta(seconds=rest))

    async def newest(self) -> Facts | None:
        """What was read a moment ago; older when the database is away, None when it was never read."""
        self._wanted_until = time.monotonic() + _LINGER
        if time.monotonic() - self._read_at > _FRESH:
            self._ticker.nudge()
            await _within(self._news, _PATIENCE)
        return self._facts

    async def updates(
        self, team: str | None, seen: str | None, until: Callable[[], bool]
    ) -> AsyncGenerator[Shown | None, None]:
        """The newest board whenever it differs from what was `seen`, and None when there was nothing new for a `BEAT`.

        Ends when `until` says so, and when the service stops.
        """
        self.viewers += 1
        self._ticker.nudge()
        try:
            while not (self._ticker.stopping or until()):
                news = self._news
                shown = self._newest_shown(team)
                if shown and shown.id != seen:
                    seen = shown.id
                    yield shown
                if not await _within(news, BEAT.total_seconds()):
                    yield None
        finally:
            self.viewers -= 1

    def _newest_shown(self, team: str | None) -> Shown | None:
        if self._facts and team not in self._shown:
            self._shown[team] = self._render(self._facts, team)
        return self._shown.get(team)

    def _tell(self) -> None:
        told, self._news = self._news, asyncio.Event()
        told.set()


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
