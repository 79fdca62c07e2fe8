"""The life of a service: parts start together, live together, and stop in order.

Stop = take nothing new in, finish what is in hand within the deadline, publish it, close. A part that ends by itself
stops the whole process with an error, because a service that half works lies to its health check.
"""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from relance.logs import get_logger
from relance.start_up import StartRefused

log = get_logger(__name__)


class Runnable(Protocol):
    """A long-running part."""

    async def run(self) -> None:
        """Work until `request_stop`, then finish what is in hand and return."""

    def request_stop(self) -> None:
        """Ask for the end; returns at once."""


@dataclass(frozen=True)
class Part:
    """A part and the name it goes by in the log."""

    name: str
    work: Runnable


class PartDied(RuntimeError):
    """A part ended without being asked to."""


async def run(parts: Sequence[Part], *, deadline: timedelta) -> None:
    """Run until SIGTERM or SIGINT, then stop the parts in the order given: intake first, publishing last.

    Raises:
        PartDied: a part failed or ended by itself; the others have been stopped.
        StartRefused: a part says that the service may not start; the others have been stopped.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    tasks = {part.name: asyncio.create_task(part.work.run(), name=part.name) for part in parts}
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([waiting, *tasks.values()], return_when=asyncio.FIRST_COMPLETED)
        died = [name for name, task in tasks.items() if task.done()]
        log.info("stopping", died=died)
        await _stop_in_order(parts, tasks, loop.time() + deadline.total_seconds())
    finally:
        waiting.cancel()
        for task in tasks.values():
            task.cancel()
    failures = [task.exception() for task in tasks.values() if task.done() and not task.cancelled()]
    if died:
        failure = next(filter(None, failures), None)
        if isinstance(failure, StartRefused):
            raise failure
        raise PartDied(f"ended by itself: {', '.join(died)}") from failure
    log.info("stopped")


async def _stop_in_order(parts: Sequence[Part], tasks: dict[str, "asyncio.Task[None]"], until: float) -> None:
    loop = asyncio.get_running_loop()
    for part in parts:
        task = tasks[part.name]
        part.work.request_stop()
        done, _ = await asyncio.wait([task], timeout=max(0.0, until - loop.time()))
        if not done:
            log.error("part did not stop in time", part=part.name)
            task.cancel()
            await asyncio.wait([task], timeout=1.0)
        elif not task.cancelled() and (error := task.exception()) and not isinstance(error, StartRefused):
            log.error("part failed", part=part.name, exc_info=error)
