"""Waiting for what must come true, with a limit."""

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta

LOOK_EVERY = timedelta(milliseconds=50)


class NotInTime(TimeoutError):
    """What was waited for did not come true."""


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]], *, what: str, limit: timedelta = timedelta(seconds=30)
) -> None:
    """Look until `condition` holds.

    Raises:
        NotInTime: it did not within `limit`; `what` says what was waited for.
    """
    limited = asyncio.timeout(limit.total_seconds())
    try:
        # A condition that hangs (a frozen server that still accepts connections) is cut off too.
        async with limited:
            while True:
                holds = condition()
                if await holds if inspect.isawaitable(holds) else holds:
                    return
                await asyncio.sleep(LOOK_EVERY.total_seconds())
    except TimeoutError as error:
        if not limited.expired():
            raise  # the condition's own
        raise NotInTime(f"Waited {limit.total_seconds():g} s in vain: {what}.") from error


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
