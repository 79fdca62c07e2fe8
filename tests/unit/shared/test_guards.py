"""Promises of the limits that every request passes."""

import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from relance.http import arrivals
from relance.http.client_networks import client_network
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


class Sender:
    """A client whose body comes when the test says so, and what it is answered."""

    def __init__(self, guards: Guards, address: str, method: str = "POST") -> None:
        self.answered: asyncio.Task[int] = asyncio.create_task(self._answered(guards, address, method))
        self._pieces: asyncio.Queue[Message] = asyncio.Queue()

    def send(self, body: bytes = b"", *, more: bool = False) -> None:
        """A piece of the body; the last one, if there is not to be `more`."""
        self._pieces.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def go(self) -> None:
        """Hang up."""
        self._pieces.put_nowait({"type": "http.disconnect"})

    async def _answered(self, guards: Guards, address: str, method: str) -> int:
        statuses: list[int] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {"type": "http", "method": method, "path": "/", "headers": [], "client": (address, 1)}
        await guards(scope, self._pieces.get, send)
        return statuses[0]


class Reading:
    """An application that reads a body, then works until the test lets it go on."""

    def __init__(self) -> None:
        self.working = 0
        self.released = asyncio.Event()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as FastAPI does it."""
        status = 200
        try:
            message = await receive()
            while message.get("more_body"):
                message = await receive()
            if message["type"] == "http.request":
                self.working += 1
                await self.released.wait()
                self.working -= 1
        except HTTPException as refused:
            status = refused.status_code if "Retry-After" in (refused.headers or {}) else 500
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def guarded(app: Reading, concurrency: int) -> Guards:
    return Guards(app, concurrency=concurrency, body_limit=1000, body_limits={}, streams={})


async def settled() -> None:
    """Everybody has gone as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_body_that_is_awaited_takes_nobodys_place() -> None:
    """Only whoever has sent all of it is worked on, or told at once that there is no room."""
    app = Reading()
    guards = guarded(app, concurrency=2)
    slow = [Sender(guards, "192.0.2.1") for _ in range(2)]
    for each in slow:
        each.send(b"n", more=True)
    await settled()
    quick = [Sender(guards, "192.0.2.2") for _ in range(2)]
    for each in quick:
        each.send(b"name")
    await settled()
    assert app.working == 2
    slow[0].send(b"ame")
    slow[1].go()
    assert await slow[0].answered == 503
    await slow[1].answered  # which nobody reads
    app.released.set()
    assert [await each.answered for each in quick] == [200, 200]


async def test_an_answer_that_streams_is_work_in_hand_whatever_body_its_question_began() -> None:
    """While it streams it only waits for the client to hang up: no place is free, and it is not given up."""
    app = Reading()
    app.released.set()
    guards = guarded(app, concurrency=1)
    streaming = Sender(guards, "192.0.2.1", "GET")
    await settled()
    other = Sender(guards, "192.0.2.2")
    other.send()
    assert await other.answered == 503
    assert not streaming.answered.done()
    streaming.go()
    assert await streaming.answered == 200


async def test_of_too_many_bodies_the_oldest_of_whoever_sends_most_is_given_up() -> None:
    """One address, or network of an IPv6 customer, harms nobody but itself; of equals the slowest goes."""
    app = Reading()
    app.released.set()
    guards = guarded(app, concurrency=4)
    honest = Sender(guards, "2001:db8:1:1::1")
    many = [Sender(guards, f"2001:db8:1:2::{number}") for number in range(3)]
    await settled()
    for given_up in many[:2]:
        newest = Sender(guards, "2001:db8:1:2::9")
        newest.send(b"x", more=True)
        assert await given_up.answered == 503
    others = [Sender(guards, f"192.0.2.{number}") for number in (1, 2)]
    assert await many[2].answered == 503
    await settled()
    assert not honest.answered.done()
    for each in (*others, honest):
        each.send(b"all")
        assert await each.answered == 200


async def test_bodies_that_come_together_have_a_limit_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has sent most of them gives up first; one alone may have as much as it is allowed."""
    monkeypatch.setattr(arrivals, "MOST_BYTES", 500)
    app = Reading()
    app.released.set()
    guards = guarded(app, concurrency=100)
    large = Sender(guards, "192.0.2.1")
    large.send(b"x" * 600, more=True)
    await settled()
    small = Sender(guards, "192.0.2.2")
    small.send(b"x", more=True)
    assert await large.answered == 503
    small.send()
    assert await small.answered == 200
    alone = Sender(guards, "192.0.2.1")
    alone.send(b"x" * 600, more=True)
    await settled()
    alone.send()
    assert await alone.answered == 200


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("proxy", "unknown"),
    ],
)
def test_a_client_is_an_address_or_what_one_customer_has(host: str, network: str) -> None:
    """IPv6 gives everybody 2^64 addresses."""
    assert client_network(host) == network
