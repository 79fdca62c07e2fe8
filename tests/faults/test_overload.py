"""Invariant 8: overload is answered at once, visibly, and harms nobody who was already let in."""

import asyncio
from itertools import chain
from pathlib import Path
from typing import Any

from tests.system import KEYS, System, running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST


async def test_more_requests_than_can_be_worked_on_are_turned_away_with_retry_after(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """The table is locked, so that requests pile up; once it is free, those that were let in are accepted."""
    how: dict[str, Any] = {"services": [INGEST], "environment": {"HTTP_CONCURRENCY": "4", "DATABASE_TIMEOUT": "PT60S"}}
    async with running_system(real_parts, database, tmp_path, **how) as system:

        async def post() -> tuple[int, str | None]:
            headers = {"X-API-Key": KEYS["website"]}
            body = {"email": "maria@example.com"}
            async with system.http.post(system.url(INGEST, "/v1/leads"), json=body, headers=headers) as answer:
                return answer.status, answer.headers.get("Retry-After")

        async def full() -> bool:
            return "relance_http_requests_in_flight 4.0" in await system.metrics(INGEST)

        connection = await system.server.connect(system.database)
        async with connection.transaction():
            await connection.execute("LOCK TABLE ingest.leads IN ACCESS EXCLUSIVE MODE")
            let_in = [asyncio.create_task(post()) for _ in range(4)]
            await system.until(full, "four requests to be in hand")
            assert await asyncio.gather(*(post() for _ in range(10))) == [(503, "5")] * 10
            assert not any(task.done() for task in let_in)
        assert await asyncio.gather(*let_in) == [(202, None)] * 4
        assert await system.rows("SELECT count(*) AS leads FROM reporting.leads") == [{"leads": 4}]
        await connection.close()
        await bodies_that_do_not_come_hold_up_nobody(system)


async def bodies_that_do_not_come_hold_up_nobody(system: System) -> None:
    """Open, more of them than are worked on at once; and without a key they are answered before their body is there."""
    host, port = system.url(INGEST, "").removeprefix("http://").split(":")
    kinds = {b"leads": b"json", b"calls": b"json", b"forms/website": b"x-www-form-urlencoded"}
    waiting = {path: [await asyncio.open_connection(host, int(port)) for _ in range(8)] for path in kinds}
    for path, connections in waiting.items():
        for _, writer in connections:
            writer.write(b"POST /v1/%s HTTP/1.1\r\nHost: relance\r\n" % path)
            writer.write(b"Content-Type: application/%s\r\nContent-Length: 100\r\n\r\n{" % kinds[path])
    async with asyncio.timeout(15):
        for reader, _ in waiting[b"leads"] + waiting[b"calls"]:
            assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")

    given_up = 'relance_http_requests_total{method="POST",route="/v1/forms/{source}",status="503"} 4.0'

    async def only_so_many() -> bool:
        said = await system.metrics(INGEST)
        return given_up in said and "relance_http_requests_arriving 4.0" in said

    await system.until(only_so_many, "the slowest to be given up")
    await system.post_lead()
    for _, writer in chain.from_iterable(waiting.values()):
        writer.close()
