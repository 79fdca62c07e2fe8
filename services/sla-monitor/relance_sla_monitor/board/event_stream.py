"""Server-Sent Events, as the HTML standard describes them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Send
from typing_extensions import override

_SEND_LIMIT = 15.0
"""Seconds that one message may wait for a viewer that does not read; then the viewer is dropped."""


def event(name: str, data: str, id_: str | None = None) -> str:
    """One event. `data` has one line."""
    return (f"id: {id_}\n" if id_ else "") + f"event: {name}\ndata: {data}\n\n"


class EventStream(StreamingResponse):
    """An answer that goes on until its events end or its viewer is gone."""

    def __init__(self, events: AsyncGenerator[str, None], headers: Mapping[str, str]) -> None:
        # A proxy that buffers would hold events back.
        super().__init__(events, headers={**headers, "X-Accel-Buffering": "no"}, media_type="text/event-stream")
        self._events = events

    @override
    async def stream_response(self, send: Send) -> None:
        try:
            async with aclosing(self._events) as events:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                async for each in events:
                    async with asyncio.timeout(_SEND_LIMIT):
                        await send({"type": "http.response.body", "body": each.encode(), "more_body": True})
        except TimeoutError:
            return  # without the last message the server closes the connection
        await send({"type": "http.response.body", "body": b"", "more_body": False})
