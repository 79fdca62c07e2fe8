"""What is promised while a part is away, and after it is back. Each test has PostgreSQL and Kafka of its own."""

import asyncio
import re
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.system import KEYS, System, running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST, ROUTER, SLA_MONITOR, Configuration, Parts, Services
from relance_local.stack import running_parts


@asynccontextmanager
async def own_system(folder: Path, **how: Any) -> AsyncIterator[System]:
    """A system whose parts may be killed without harm to other tests."""
    with tempfile.TemporaryDirectory(prefix="relance-faults-", ignore_cleanup_errors=True) as parts_folder:
        path = Path(parts_folder)
        async with running_parts(path, print) as (server, broker):
            await server.create_relance_database("relance")
            services = Services(Parts(path, server, broker), Configuration(path / "unused", path / "unused"))
            await services.migrate()
            async with running_system((server, broker), "relance", folder, **how) as system:
                yield system
            # Nobody needs what it holds: in order it takes many seconds to end.
            broker.process.kill()


async def try_post(system: System) -> tuple[int, str | None, dict[str, Any]]:
    body = {"email": "maria@example.com", "fields": {"team": "sales"}}
    headers = {"X-API-Key": KEYS["website"]}
    async with system.http.post(system.url(INGEST, "/v1/leads"), json=body, headers=headers) as answer:
        return answer.status, answer.headers.get("Retry-After"), await answer.json()


async def every_lead_has_one_end(system: System, accepted: list[str]) -> None:
    """Nothing lost, nothing twice: each accepted lead has one owner, one assignment, one notification id."""
    await system.wait_for_rows("SELECT 1 FROM reporting.assignments", count=len(accepted), seconds=60)
    rows = await system.rows("SELECT lead_id, count(*) AS times FROM reporting.assignments GROUP BY 1")
    assert {str(row["lead_id"]): row["times"] for row in rows} == dict.fromkeys(accepted, 1)
    for lead_id in accepted:
        await system.told(lead_id)
    told = [(each.data["lead"]["lead_id"], each.id) for each in system.endpoints.of_type("lead.assigned")]
    assert len(set(told)) == len(accepted)
    await system.wait_for_rows("SELECT 1 FROM reporting.clocks", count=len(accepted), seconds=60)


async def test_postgresql_away_means_503_with_retry_after_and_back_by_itself(tmp_path: Path) -> None:
    """Nothing is accepted that cannot be kept; what was accepted is there afterwards. What stands still says so."""
    async with own_system(tmp_path) as system:
        before = await system.post_leads("sales", 5)
        await system.server.kill()
        status, retry_after, problem = await try_post(system)
        assert (status, retry_after, problem["title"]) == (503, "5", "Try again")
        async with system.http.get(system.url(INGEST, "/readyz")) as answer:
            assert answer.status == 503
        await system.until(lambda: _late(system, "timers"), "timers to be late")
        await system.server.start()

        async def accepts() -> bool:
            return (await try_post(system))[0] == 202

        await system.until(accepts, "ingest to accept again")
        async with system.http.get(system.url(INGEST, "/healthz")) as answer:
            assert answer.status == 200
        rows = await system.rows("SELECT lead_id FROM reporting.leads")
        accepted = [str(row["lead_id"]) for row in rows]
        assert set(before) <= set(accepted)
        await every_lead_has_one_end(system, accepted)


async def _late(system: System, work: str) -> bool:
    (due,) = re.findall(
        rf'relance_work_due_timestamp_seconds{{work="{work}"}} (\S+)', await system.metrics(SLA_MONITOR)
    )
    return time.time() - float(due) > 1


@asynccontextmanager
async def started_without_postgresql(system: System, name: str) -> AsyncIterator["asyncio.Task[None]"]:
    """A service that finds no database; the task ends when it is ready."""
    await system.services.running[name].stop()
    await system.server.kill()
    starting = asyncio.create_task(system.services.start([name]))
    try:
        await system.until(lambda: _waits(system), "it to find no database")
        yield starting
    finally:
        starting.cancel()


async def _waits(system: System) -> bool:
    return "not started yet" in [line["event"] for line in system.logs()]


async def test_ingest_started_while_postgresql_is_away_answers_503_and_begins_when_it_is_there(tmp_path: Path) -> None:
    """As when it went away later: who asks learns when to come again."""
    async with own_system(tmp_path, services=[INGEST]) as system:
        async with started_without_postgresql(system, INGEST) as starting:
            await system.until(lambda: _alive(system), "ingest to listen")
            status, retry_after, problem = await try_post(system)
            assert (status, retry_after, problem["title"]) == (503, "5", "Try again")
            async with system.http.get(system.url(INGEST, "/readyz")) as answer:
                assert answer.status == 503
            await system.server.start()
            await starting
        await system.post_leads("sales", 1)


async def _alive(system: System) -> bool:
    try:
        async with system.http.get(system.url(INGEST, "/healthz")) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_ingest_that_may_not_start_ends_once_postgresql_is_there_and_takes_no_lead(tmp_path: Path) -> None:
    """With a secret that it was not given: the status is 2, and the last line says what to do."""
    async with own_system(tmp_path, services=[INGEST]) as system:
        await system.rows("INSERT INTO ingest.identity_secrets (fingerprint) VALUES ('another')", role="ingest")
        async with started_without_postgresql(system, INGEST):
            await system.until(lambda: _alive(system), "ingest to listen")
            process = system.services.running[INGEST]

            async def ends_and_is_asked() -> bool:
                try:
                    assert (await try_post(system))[0] == 503
                except aiohttp.ClientError:
                    return True
                return False

            await system.server.start()
            await system.until(ends_and_is_asked, "ingest to end")
            assert await process.ended() == 2
        assert system.services.log(INGEST).read_text().splitlines()[-1].startswith("Ingest does not start: ")
        assert await system.rows("SELECT FROM ingest.leads", role="ingest") == []


@pytest.mark.parametrize("name", [INGEST, ROUTER])
async def test_a_service_that_waits_for_postgresql_at_its_start_ends_when_asked_to(tmp_path: Path, name: str) -> None:
    """SIGTERM, which a container's first process only gets when it listens for it."""
    async with own_system(tmp_path, services=[name]) as system, started_without_postgresql(system, name):
        process = system.services.running[name]
        process.send(signal.SIGTERM)
        assert await process.ended() == 0


async def test_kafka_away_means_leads_are_accepted_and_routed_when_it_is_back(tmp_path: Path) -> None:
    """Killed, not stopped; ingest does not even slow down."""
    async with own_system(tmp_path) as system:
        accepted = await system.post_leads("sales", 3)
        await every_lead_has_one_end(system, accepted)
        system.broker.process.kill()
        accepted += await system.post_leads("sales", 10)
        async with system.http.get(system.url(INGEST, "/readyz")) as answer:
            assert answer.status == 200
        assert await system.rows("SELECT count(*) AS waiting FROM ingest.outbox", role="ingest") == [{"waiting": 10}]
        await system.broker.start()
        await every_lead_has_one_end(system, accepted)


async def test_services_killed_in_the_middle_lose_nothing_and_do_nothing_twice(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """kill -9 of router and sla-monitor while leads stream in; ingest is killed when it has answered."""
    async with running_system(real_parts, database, tmp_path) as system:
        accepted: list[str] = []

        enough_faults = asyncio.Event()

        async def stream() -> None:
            while not enough_faults.is_set():
                accepted.extend(await system.post_leads("sales", 1))
                await asyncio.sleep(0.02)

        streaming = asyncio.create_task(stream())
        for name in (ROUTER, SLA_MONITOR, ROUTER):
            enough = len(accepted) + 20
            await system.until(lambda enough=enough: len(accepted) >= enough, "some more leads")  # type: ignore[misc]
            system.services.running[name].kill()
            await system.services.start([name])
        enough_faults.set()
        await streaming
        system.services.running[INGEST].kill()
        await system.services.start([INGEST])
        await every_lead_has_one_end(system, accepted)
        given = [row["rep"] for row in await system.rows("SELECT rep FROM reporting.assignments")]
        assert abs(given.count("anna") - given.count("ben")) <= 1


async def test_deadlines_that_pass_while_the_monitor_is_dead_fire_once_after_its_restart(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """Two monitors, both killed; then both back."""
    async with running_system(real_parts, database, tmp_path, window="1h") as system:
        await system.services.start_replica(SLA_MONITOR, "second-monitor")
        leads = await system.post_leads("sales", 4)
        for lead_id in leads:
            await system.told(lead_id)
        await system.wait_for_rows("SELECT 1 FROM reporting.clocks", count=4)
        system.services.running[SLA_MONITOR].kill()
        system.services.running["second-monitor"].kill()
        await system.let_pass(timedelta(hours=2))
        assert len(await system.rows("SELECT 1 FROM reporting.clocks WHERE breached")) == 4
        fired = await system.rows("SELECT count(*) AS count FROM reporting.steps WHERE action = 'breach'")
        assert fired == [{"count": 0}]
        await system.services.start([SLA_MONITOR])
        await system.services.start_replica(SLA_MONITOR, "third-monitor")
        # Each lead goes to the other rep, and breaks that rep's promise too.
        await system.wait_for_rows("SELECT 1 FROM reporting.clocks", count=8, seconds=60)
        await system.wait_for_rows("SELECT 1 FROM reporting.steps WHERE action = 'reassign'", count=4, seconds=60)
        await system.let_pass(timedelta(hours=2))
        await system.wait_for_rows("SELECT 1 FROM reporting.steps WHERE action = 'reassign'", count=8, seconds=60)
        twice = await system.rows("SELECT assignment_id, step FROM reporting.steps GROUP BY 1, 2 HAVING count(*) > 1")
        assert twice == []
        await system.until(lambda: len(system.endpoints.of_type("lead.escalated")) >= 8, "managers to be told")
        told = [each.data["assignment_id"] for each in system.endpoints.of_type("lead.escalated")]
        assert len(told) == len(set(told)) == 8


async def test_two_routers_share_the_work_and_one_may_die(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """Rebalances in both directions; shares stay within one lead of each other (invariants 3 and 4)."""
    async with running_system(real_parts, database, tmp_path, teams={"sales": ["anna", "ben", "chloe"]}) as system:
        accepted = await system.post_leads("sales", 30)
        await system.services.start_replica(ROUTER, "second-router")
        accepted += await system.post_leads("sales", 60)
        system.services.running["second-router"].kill()
        accepted += await system.post_leads("sales", 30)
        await every_lead_has_one_end(system, accepted)
        given = [row["rep"] for row in await system.rows("SELECT rep FROM reporting.assignments")]
        assert [given.count(rep) for rep in ("anna", "ben", "chloe")] == [40, 40, 40]


@pytest.mark.parametrize("name", [INGEST, ROUTER, SLA_MONITOR])
async def test_a_service_that_is_asked_to_stop_finishes_and_leaves(system: System, name: str) -> None:
    """SIGTERM: what is in hand is finished, the exit status is 0, and the outbox is empty."""
    accepted = await system.post_leads("sales", 5)
    process = system.services.running[name]
    process.send(signal.SIGTERM)
    assert await process.ended() == 0
    schema = {INGEST: "ingest", ROUTER: "router", SLA_MONITOR: "sla"}[name]
    assert await system.rows(f"SELECT FROM {schema}.outbox", role=schema) == []
    assert "stopped" in [line["event"] for line in system.logs()]
    await system.services.start([name])
    await every_lead_has_one_end(system, accepted)
