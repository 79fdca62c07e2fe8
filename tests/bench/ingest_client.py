"""Sends leads over keep-alive connections, as a process of its own: `ingest_client LOAD`, which is a `Load` as JSON.

Lean, so that the client is not what is measured: bare protocols, requests from one template. Prints `Found` as JSON.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import cast

import psutil
import uvloop
from typing_extensions import override

ACCEPTED = 202


@dataclass(frozen=True)
class Load:
    """What to send. `rate` is None for a closed loop: every connection sends its next lead once it is answered."""

    port: int
    path: str
    key: str
    connections: int
    seconds: float | None
    """How long to look, after `warm_up`; None: until `leads` are answered."""
    leads: int | None = None
    warm_up: float = 0.0
    rate: float | None = None
    processes: Mapping[str, int] = field(default_factory=dict)
    """Whose processor time to look at, with their children's."""


@dataclass(frozen=True)
class Found:
    """What came of it. `processor` is seconds by process; latencies in seconds; `others`: a part of the machine."""

    answered: int
    seconds: float
    p50: float
    p99: float
    statuses: dict[str, int]
    processor: dict[str, float]
    client: float


def _request(load: Load, number: int) -> bytes:
    body = json.dumps(
        {
            "name": f"Maria Huber {number}",
            "email": f"maria.huber.{number}@company-{number}.example",
            "phone": f"+49171{number % 10_000_000:07d}",
            "company": f"Company {number}",
            "campaign": "spring",
            "fields": {
                "budget": "20k",
                "message": "Please call me back about the offer on your page.",
                "product": "solar",
            },
        }
    )
    head = (
        f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nAuthorization: Bearer {load.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


class _Sender:
    """Gives connections their requests, and keeps the times."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._sent = random.randrange(1_000_000) * 1_000  # noqa: S311 - persons of another run, for its own sake
        self.idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        """When leads that found no idle connection were to be sent."""
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.answered = 0
        self.enough = asyncio.Event()
        self.lost: Exception | None = None

    def take(self, connection: "_Connection", now: float) -> None:
        """The connection is free."""
        if self._load.rate is None:
            self._send(connection, now)
        elif self._due:
            self._send(connection, self._due.popleft())
        else:
            self.idle.append(connection)

    def due(self, at: float) -> None:
        """A lead is to be sent at this moment."""
        if self.idle:
            self._send(self.idle.popleft(), at)
        else:
            self._due.append(at)

    def note(self, status: int, seconds: float) -> None:
        """One was answered."""
        self.answered += 1
        self.statuses[status] += 1
        self.latencies.append(seconds)
        if self.answered == self._load.leads:
            self.enough.set()

    def _send(self, connection: "_Connection", at: float) -> None:
        self._sent += 1
        connection.send(_request(self._load, self._sent), at)


class _Connection(asyncio.Protocol):
    def __init__(self, sender: _Sender) -> None:
        self._sender = sender
        self._received = b""
        self._began = 0.0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sender.take(self, time.perf_counter())

    def send(self, request: bytes, began: float) -> None:
        self._began = began
        self._transport.write(request)

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.index(b"content-length: ") + 16
        if len(body) < int(head[length : head.index(b"\r\n", length) if b"\r\n" in head[length:] else None]):
            return
        self._received = b""
        now = time.perf_counter()
        self._sender.note(int(head[9:12]), now - self._began)
        self._sender.take(self, now)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._sender.lost = exc or ConnectionError("the endpoint closed a connection")
        self._sender.enough.set()


async def _arrivals(sender: _Sender, rate: float) -> None:
    """Poisson arrivals. A lead's time runs from when it was due, so that a slow answer cannot hide the next ones."""
    at = time.perf_counter()
    while True:
        at += random.expovariate(rate)
        if (wait := at - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        sender.due(at)


def _spent(processes: Mapping[str, int]) -> dict[str, dict[int, float]]:
    return {name: {each.pid: _seconds(each) for each in _tree(pid)} for name, pid in processes.items()}


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # a session that has just ended
    return times.user + times.system


def _since(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    return sum(max(0.0, seconds - before.get(pid, 0.0)) for pid, seconds in after.items())


async def _run(load: Load) -> Found:
    loop = asyncio.get_running_loop()
    sender = _Sender(load)
    for _ in range(load.connections):
        await loop.create_connection(lambda: _Connection(sender), "127.0.0.1", load.port)
    arrivals = asyncio.create_task(_arrivals(sender, load.rate)) if load.rate else None
    await asyncio.sleep(load.warm_up)
    sender.latencies.clear()
    sender.statuses.clear()
    first, began, before, own = sender.answered, time.perf_counter(), _spent(load.processes), _seconds(psutil.Process())
    with suppress(TimeoutError):
        async with asyncio.timeout(load.seconds):
            await sender.enough.wait()
    if sender.lost:
        raise sender.lost
    seconds, after, own_after = time.perf_counter() - began, _spent(load.processes), _seconds(psutil.Process())
    if arrivals:
        arrivals.cancel()
    latencies = sorted(sender.latencies)
    return Found(
        answered=sender.answered - first,
        seconds=seconds,
        p50=latencies[len(latencies) // 2],
        p99=latencies[len(latencies) * 99 // 100],
        statuses={str(status): count for status, count in sender.statuses.items()},
        processor={name: _since(before[name], after[name]) for name in after},
        client=own_after - own,
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(_run(Load(**json.loads(sys.argv[1])))))))
