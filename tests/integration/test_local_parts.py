"""The local parts come back from the awkward ends that faults leave behind."""

import asyncio
import socket
import tempfile
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from relance_local.broker import Broker, fetch_kafka
from relance_local.conditions import NotInTime, free_port, wait_until
from relance_local.database_server import DatabaseServer
from relance_local.stack import CACHE


async def test_postgresql_starts_again_although_a_session_was_computing_when_it_was_killed() -> None:
    """Such a session does not notice the postmaster's death and would block the next start."""
    with tempfile.TemporaryDirectory(prefix="relance-parts-", ignore_cleanup_errors=True) as folder:
        server = DatabaseServer(Path(folder))
        try:
            await server.start()
            watching, computing = await server.connect("postgres"), await server.connect("postgres")
            query = "SELECT count(*) FROM generate_series(1, 1000000000)"
            task = asyncio.create_task(computing.execute(query))

            async def is_computing() -> bool:
                seen = await watching.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query = $1", query)
                return bool(seen)

            await wait_until(is_computing, what="the session to compute")
            await server.kill()
            await server.start()
            with pytest.raises((asyncpg.PostgresConnectionError, ConnectionError)):
                await task
            watching.terminate()
            computing.terminate()
        finally:
            await server.stop()


async def test_kafka_starts_although_its_formatting_was_cut_short() -> None:
    """An empty folder is what a formatting leaves that was killed early."""
    jars = await asyncio.to_thread(fetch_kafka, CACHE)
    with tempfile.TemporaryDirectory(prefix="relance-parts-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "logs").mkdir()
        broker = Broker(Path(folder), jars)
        try:
            await broker.start()
        finally:
            await broker.stop()


async def test_waiting_ends_at_its_limit_although_the_condition_hangs() -> None:
    """A frozen server accepts connections and never answers."""
    never = asyncio.Event()
    with pytest.raises(NotInTime, match=r"Waited 0.1 s in vain: an answer\."):
        await wait_until(never.wait, what="an answer", limit=timedelta(seconds=0.1))


async def test_a_port_that_was_chosen_is_nobody_elses_and_its_server_may_come_back() -> None:
    """Nor while nothing listens there: it is neither a free port nor a connection's own for anybody."""
    port = free_port()
    for _ in range(2):
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
        server.close()
        await server.wait_closed()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
