"""Promises of connections that no client sees."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta

import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState

from relance.http.connections import LimitedConnection
from relance_local.conditions import wait_until


class Connection(LimitedConnection):
    """With limits that nobody meets here."""

    limit = 10_000
    patience = timedelta(minutes=1)


@pytest.fixture
def nothing_collected() -> Iterator[None]:
    """The garbage collector does not run."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("nothing_collected")
@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.0\r\n", b"GET / HTTP/1.1\r\nConnection: close\r\n"])
async def test_a_closed_connection_leaves_the_memory_at_once(request_line: bytes) -> None:
    """It is part of no cycle, for which the garbage collector would have to run: it rarely does."""
    config = uvicorn.Config(FastAPI(), log_config=None)
    config.load()
    made: list[weakref.ref[Connection]] = []

    def connection() -> Connection:
        new = Connection(config, ServerState(), {})
        made.append(weakref.ref(new))
        return new

    async def is_gone() -> bool:
        return made[0]() is None

    async with await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(request_line + b"Host: ingest\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 404")
        writer.close()
        await wait_until(is_gone, what="the connection to leave the memory", limit=timedelta(seconds=5))
