"""Waiting for what must come true, with a limit."""

import asyncio
import atexit
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
    """A TCP port on loopback for a server of this process or of one that it starts, also for one that comes back.

    It stays bound until this process ends, though nothing listens: the kernel gives a port that is bound to no
    connection as its local one, and to nobody else who asks for a free one. On Linux a server may listen there all
    the same when it sets SO_REUSEADDR, as servers do.
    """
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    atexit.register(reservation.close)
    port: int = reservation.getsockname()[1]
    return port
