"""Promises of deliveries while endpoints are slow, dead or gone: the others do not notice."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text
from tests.integration.delivering import Tool, announce, apply, delivering, listening, rows
from tests.integration.events import lead

from relance.database import Database
from relance_local.conditions import wait_until
from relance_router.deliveries.endpoint_health import digest, endpoints_waiting
from relance_router.deliveries.notifications import Room, claim, expire
from relance_router.domain.circuit_breaker import FAILURES_TO_OPEN

BACKLOG = 20_000


async def fill(database: Database, endpoint: str, count: int) -> None:
    """Notifications that are due, each of a lead of its own."""
    async with database.transaction() as connection:
        leads = text("""
            WITH made AS (
                INSERT INTO leads (id, data, traceparent)
                SELECT gen_random_uuid(), '{}', '' FROM generate_series(1, :count) RETURNING id
            )
            INSERT INTO notifications (id, key, type, endpoint, details, traceparent, lead_id)
            SELECT gen_random_uuid(), id, 'lead.joined', :endpoint, '{"at": "2026-11-24T09:00:00Z"}', '', NULL FROM made
        """)
        await connection.execute(leads, {"count": count, "endpoint": endpoint})


async def health(database: Database, endpoint: str) -> dict[str, Any]:
    found = await rows(database, "SELECT * FROM endpoints WHERE endpoint = :endpoint", endpoint=endpoint)
    return found[0] if found else {}


async def open_circuit(database: Database, tool: Tool, endpoint: str, *, pause: str) -> None:
    """As if the endpoint had failed until its circuit opened."""
    async with database.transaction() as connection:
        opened = text("""
            INSERT INTO endpoints (endpoint, address_sha256, failures, openings, open_until)
            VALUES (:endpoint, :address, 5, 1, now() + CAST(CAST(:pause AS text) AS interval))
        """)
        values = {"endpoint": endpoint, "address": digest(tool.url(endpoint)), "pause": pause}
        await connection.execute(opened, values)


async def test_of_one_lead_an_endpoint_hears_in_order(router_database: Database) -> None:
    """What is tried again holds back that lead at that endpoint, and nothing else."""
    tool = Tool(answers={"rep:anna": web.Response(status=400)})
    await apply(router_database, tool)
    held, other = lead(), lead()
    first, second = await announce(router_database, "rep:anna", lead=held, count=2)
    async with listening(tool), delivering(router_database):
        await wait_until(lambda: bool(tool.received), what="the first attempt")
        (free,) = await announce(router_database, "rep:anna", lead=other)
        (elsewhere,) = await announce(router_database, "rep:ben", lead=held)

        async def tried() -> bool:
            query = "SELECT id FROM notifications WHERE attempts > 0"
            return {row["id"] for row in await rows(router_database, query)} >= {first, free, elsewhere}

        await wait_until(tried, what="the others to be tried")
        assert await rows(router_database, "SELECT attempts FROM notifications WHERE id = :id", id=second) == [
            {"attempts": 0}
        ]
        tool.answers.clear()

        async def all_delivered() -> bool:
            return not await rows(router_database, "SELECT 1 FROM notifications WHERE state <> 'delivered'")

        await wait_until(all_delivered, what="all to be delivered")
    settled = "SELECT id FROM notifications WHERE id = ANY(:ids) ORDER BY settled_at"
    assert [row["id"] for row in await rows(router_database, settled, ids=[first, second])] == [first, second]


async def test_a_failing_endpoint_is_left_alone_and_what_waits_for_it_costs_no_attempts(
    router_database: Database,
) -> None:
    """Its circuit opens after some failures in a row; everybody else is told meanwhile."""
    tool = Tool(answers={"rep:anna": web.Response(status=500)})
    await apply(router_database, tool)
    await announce(router_database, "rep:anna", count=200)
    await announce(router_database, "rep:ben", count=20)
    async with listening(tool), delivering(router_database, per_endpoint=2):

        async def opened() -> bool:
            return bool((await health(router_database, "rep:anna")).get("open_until"))

        await wait_until(opened, what="the circuit to open")
        waiting = await rows(
            router_database, "SELECT sum(attempts) AS attempts FROM notifications WHERE endpoint = 'rep:anna'"
        )

        async def ben_told() -> bool:
            return [endpoint for endpoint, _ in tool.received].count("rep:ben") == 20

        await wait_until(ben_told, what="ben to be told")
    assert FAILURES_TO_OPEN <= waiting[0]["attempts"] <= FAILURES_TO_OPEN + 1, "those under way when it opened"


async def test_one_attempt_by_one_replica_closes_the_circuit_of_an_endpoint_that_is_back(
    router_database: Database,
) -> None:
    """The probe is claimed once, however many replicas look; then everything that waited goes out, once."""
    tool = Tool()
    await apply(router_database, tool)
    await announce(router_database, "rep:anna", count=50)
    await open_circuit(router_database, tool, "rep:anna", pause="-1 second")
    async with router_database.transaction() as mine, router_database.transaction() as theirs:
        reserve = text("SELECT endpoint FROM endpoints WHERE open_until <= now() FOR UPDATE SKIP LOCKED")
        assert (await mine.execute(reserve)).scalars().all() == ["rep:anna"]
        assert (await theirs.execute(reserve)).scalars().all() == []
    async with listening(tool), delivering(router_database), delivering(router_database):

        async def all_delivered() -> bool:
            return not await rows(router_database, "SELECT 1 FROM notifications WHERE state <> 'delivered'")

        await wait_until(all_delivered, what="what waited to be delivered")
    assert len(tool.received) == 50
    stored = await health(router_database, "rep:anna")
    assert (stored["failures"], stored["open_until"]) == (0, None)


async def test_a_probe_that_fails_opens_the_circuit_for_longer(router_database: Database) -> None:
    """One attempt, not one for each that waits."""
    tool = Tool(answers={"rep:anna": web.Response(status=503)})
    await apply(router_database, tool)
    await announce(router_database, "rep:anna", count=50)
    await open_circuit(router_database, tool, "rep:anna", pause="-1 second")
    async with listening(tool), delivering(router_database), delivering(router_database):

        async def opened_again() -> bool:
            return int((await health(router_database, "rep:anna"))["openings"]) == 2

        await wait_until(opened_again, what="the circuit to open again")
    assert len(tool.received) == 1


async def test_an_endpoint_that_asks_for_time_is_paused_as_a_whole(router_database: Database) -> None:
    """429 with Retry-After is for all of its notifications."""
    tool = Tool(answers={"rep:anna": web.Response(status=429, headers={"Retry-After": "300"})})
    await apply(router_database, tool)
    await announce(router_database, "rep:anna", count=50)
    async with listening(tool), delivering(router_database, per_endpoint=1):

        async def paused() -> bool:
            return bool((await health(router_database, "rep:anna")).get("open_until"))

        await wait_until(paused, what="the pause")
    assert len(tool.received) == 1
    (pause,) = await rows(router_database, "SELECT open_until - changed_at AS pause, failures FROM endpoints")
    assert (timedelta(seconds=290) < pause["pause"] <= timedelta(seconds=300), pause["failures"]) == (True, 0)


async def test_an_endpoint_that_is_gone_is_disabled_until_its_address_changes(router_database: Database) -> None:
    """What waits for it keeps waiting; a new address in the configuration is a new chance."""
    tool = Tool(answers={"rep:anna": web.Response(status=410)})
    await apply(router_database, tool)
    await announce(router_database, "rep:anna", count=3)
    async with listening(tool), delivering(router_database, per_endpoint=1):

        async def disabled() -> bool:
            return (await health(router_database, "rep:anna")).get("disabled_because") is not None

        await wait_until(disabled, what="the endpoint to be disabled")
        states = "SELECT state, count(*) FROM notifications GROUP BY state ORDER BY state"
        assert await rows(router_database, states) == [
            {"state": "failed", "count": 1},
            {"state": "pending", "count": 2},
        ]
        await apply(router_database, tool, reps={"anna": {"webhook": tool.url("rep:anna-moved")}})

        async def delivered() -> bool:
            return len(await rows(router_database, "SELECT 1 FROM notifications WHERE state = 'delivered'")) == 2

        await wait_until(delivered, what="the rest to be delivered")
    assert [endpoint for endpoint, _ in tool.received] == ["rep:anna", "rep:anna-moved", "rep:anna-moved"]


async def test_what_waits_too_long_for_an_endpoint_that_is_left_alone_is_given_up(router_database: Database) -> None:
    """With the reason in the delivery log."""
    tool = Tool()
    await apply(router_database, tool)
    await announce(router_database, "rep:anna", count=2)
    await open_circuit(router_database, tool, "rep:anna", pause="10 minutes")
    (old, _) = await rows(router_database, "SELECT id FROM notifications ORDER BY sequence")
    async with router_database.transaction() as connection:
        aged = text("UPDATE notifications SET next_attempt_at = now() - interval '25 hours' WHERE id = :id")
        await connection.execute(aged, {"id": old["id"]})
        assert await expire(connection) == 1
    settled = await rows(router_database, "SELECT state, last_error FROM notifications ORDER BY sequence")
    assert [row["state"] for row in settled] == ["failed", "pending"]
    assert "left alone" in settled[0]["last_error"]


@pytest.mark.parametrize("by_email", [False, True])
async def test_claims_do_not_walk_the_backlog_of_a_dead_endpoint(router_database: Database, by_email: bool) -> None:
    """The rows touched are a few for each that is claimed, with or without fresh statistics."""
    await fill(router_database, "rep:dead", BACKLOG)
    await announce(router_database, "rep:ben", count=60)
    touched = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'notifications'")
    for analyzed in (False, True):
        if analyzed:
            async with router_database.transaction() as connection:
                await connection.execute(text("ANALYZE notifications"))
        for endpoints in (["rep:ben"], ["rep:dead", "rep:ben"]):
            async with router_database.transaction() as connection:
                assert await endpoints_waiting(connection) == ["rep:ben", "rep:dead"]
                rooms = [Room(endpoint, 8) for endpoint in endpoints]
                lease = timedelta(seconds=30)
                claimed = await claim(connection, rooms, by_email=by_email, batch=100, lease=lease)
                assert Counter(each.endpoint for each in claimed) == dict.fromkeys(endpoints, 8)
                assert (await connection.execute(touched)).scalar_one() <= 200


async def test_a_dead_endpoint_with_a_backlog_keeps_nobody_waiting(router_database: Database) -> None:
    """It never answers; everything for the others is delivered while its backlog stands."""
    tool = Tool(silent={"rep:anna"})
    await apply(router_database, tool)
    await fill(router_database, "rep:anna", BACKLOG)
    await announce(router_database, "rep:ben", count=100)
    async with listening(tool), delivering(router_database, patience=timedelta(seconds=1)):

        async def ben_told() -> bool:
            query = "SELECT 1 FROM notifications WHERE endpoint = 'rep:ben' AND state = 'delivered'"
            return len(await rows(router_database, query)) == 100

        await wait_until(ben_told, what="ben to be told")
        waiting = await rows(router_database, "SELECT count(*) FROM notifications WHERE state = 'pending'")
    assert waiting == [{"count": BACKLOG}]
