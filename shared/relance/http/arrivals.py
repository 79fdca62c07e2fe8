"""Bodies that are under way, and for which nobody works yet: whoever sends slowly takes nobody's place.

Of too many the oldest is given up of the client who has the most: one that fills the room harms itself alone, and many
together would have to begin more of them than there is room for while one honest body arrives.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

from starlette.types import Message, Receive

from relance.http.client_networks import client_network
from relance.http.problems import unavailable, while_reading
from relance.metrics import HTTP_ARRIVING

MOST_BYTES = 128 * 1024 * 1024
"""Of all bodies under way together; one alone may have as much as its path allows."""

ARRIVED = "relance.arrived"
"""Stands in the state of a request (ASGI's) that is there with its body, as most are from the beginning."""

_number = count()


@dataclass(eq=False)
class Body:
    """What has come of one request's body."""

    client: str
    size: int = 0
    complete: bool = False
    number: int = field(default_factory=_number.__next__)
    """The older the smaller."""

    @cached_property
    def network(self) -> str:
        """Who sends it."""
        return client_network(self.client)


class Arrivals:
    """The bodies that are awaited at this moment, `most` of them at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._awaited: dict[Body, asyncio.Timeout] = {}
        HTTP_ARRIVING.set_function(lambda: len(self._awaited))

    async def message(self, body: Body, receive: Receive) -> Message:
        """The next message of a body.

        Raises:
            HTTPException: 503, when others need the room.
        """
        try:
            async with asyncio.timeout(None) as patience:
                self._awaited[body] = patience
                self._make_room()
                try:
                    message = await receive()
                finally:
                    self._awaited.pop(body, None)
        except TimeoutError as error:
            late = unavailable("Other requests arrive sooner than this one. Nothing was stored: send it again.")
            raise while_reading(late) from error
        body.complete = not message.get("more_body", False)
        return message

    def _make_room(self) -> None:
        if len(self._awaited) > self._most:
            self._give_up(lambda _: 1)
        while len(self._awaited) > 1 and sum(body.size for body in self._awaited) > MOST_BYTES:
            self._give_up(lambda body: body.size)

    def _give_up(self, weight: Callable[[Body], int]) -> None:
        """Whoever sends most, the oldest."""
        by_network: Counter[str] = Counter()
        for body in self._awaited:
            by_network[body.network] += weight(body)
        oldest = max(self._awaited, key=lambda body: (by_network[body.network], -body.number))
        self._awaited.pop(oldest).reschedule(asyncio.get_running_loop().time())
