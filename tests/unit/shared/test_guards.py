"""Promises of the limits that every request passes."""

import asyncio

from starlette.types import Message, Receive, Scope, Send

from relance.http.guards import Guards


async def test_streams_have_a_limit_of_their_own_and_leave_room_for_requests() -> None:
    """Those that are followed all day do not count as work in hand; one too many is told so at once."""
    ended = asyncio.Event()
    both = asyncio.Barrier(3)

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/stream":
            if not ended.is_set():
                await both.wait()
            await ended.wait()
        await send({"type": "http.response.body", "body": b""})

    guards = Guards(app, concurrency=1, body_limit=10, body_limits={}, streams={"/stream": 2})

    async def ask(path: str, statuses: list[int]) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await guards({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send)

    followed: list[int] = []
    streams = [asyncio.create_task(ask("/stream", followed)) for _ in range(2)]
    await both.wait()
    asked: list[int] = []
    await ask("/", asked)
    await ask("/stream", asked)
    assert asked == [200, 503]
    ended.set()
    await asyncio.gather(*streams)
    await ask("/stream", asked)
    assert asked == [200, 503, 200]
