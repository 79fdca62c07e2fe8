"""Where reps are told: a web server that answers 200 at once, or holds each webhook and so holds deliveries off."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from aiohttp import web
from tests.http_servers import answering

from relance_local.conditions import free_port

DELIVERING: Mapping[str, str] = MappingProxyType({"WEBHOOK_ALLOWED_HOSTS": '["127.0.0.1"]'})
"""The router's settings to deliver to the sink."""
HELD_OFF: Mapping[str, str] = MappingProxyType(
    {**DELIVERING, "WEBHOOK_CONCURRENCY": "1", "WEBHOOK_CONCURRENCY_PER_ENDPOINT": "1", "WEBHOOK_TIMEOUT": "PT1H"}
)
"""One attempt at a time, which a holding sink never answers: the router writes notifications and sends no further."""


@dataclass
class Sink:
    """Counts webhooks by assignment."""

    port: int = field(default_factory=free_port)
    holding: bool = True
    ids: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The webhook-ids under which each assignment's rep was told of it."""
    received: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def listen(self, request: web.Request) -> web.Response:
        """Take one webhook."""
        message = await request.json()
        if message["type"] == "lead.assigned":
            self.ids[message["data"]["assignment_id"]].add(request.headers["webhook-id"])
        self.received += 1
        if self.holding:
            await asyncio.Event().wait()
        return web.Response()


@asynccontextmanager
async def running_sink(*, holding: bool) -> AsyncIterator[Sink]:
    """A sink that listens; closed when the block ends."""
    sink = Sink(holding=holding)
    async with answering(sink.port, web.post("/{endpoint}", sink.listen)):
        yield sink
