"""Invariant 8: overload is answered at once, visibly, and harms nobody who was already let in."""

import asyncio
from pathlib import Path
from typing import Any

from tests.system import KEYS, running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST


async def test_more_requests_than_can_be_worked_on_are_turned_away_with_retry_after(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """The table is locked, so that requests pile up; once it is free, those that were let in are accepted."""
    how: dict[str, Any] = {"services": [INGEST], "environment": {"HTTP_CONCURRENCY": "4"}}
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
