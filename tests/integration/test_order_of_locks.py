"""The promise that transactions queue up and never deadlock: people, leads, ignored leads, teams, then reps.

But for the last two, each test holds a team's row, waits until the transaction under test waits for it, and looks at
what that one holds.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.integration.conftest import OpenDatabase
from tests.integration.events import envelope, lead, revised
from tests.integration.router_harness import TEAM, Router, erasure, step
from tests.system import Endpoints, routing

from relance.events import LeadReceived
from relance_local.services import ROUTER
from relance_router.domain.interventions import InterventionRefused
from relance_router.terms.interventions import Order

_WHO_WAITS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def router(open_database: OpenDatabase) -> Router:
    """A router whose two reps have a lead each, and have ignored one."""
    made = Router(open_database(ROUTER))
    await made.apply(routing(Endpoints(), {"sales": TEAM}))
    await made.leads(2)
    first = await made.rows("SELECT * FROM assignments ORDER BY id")
    await made.handle([step(each, "reassign") for each in first])
    return made


async def owned(router: Router) -> dict[str, Any]:
    """A lead of somebody who has ignored another."""
    (row, *_) = await router.rows("""
        SELECT * FROM assignments WHERE ended_at IS NULL AND rep IN (SELECT rep FROM assignments WHERE ordinal = 1)
    """)
    return row


@asynccontextmanager
async def waiting_for_the_team(router: Router, work: Coroutine[Any, Any, Any]) -> AsyncIterator[AsyncConnection]:
    """While `work` waits for the team's line; it is done afterwards."""
    async with asyncio.TaskGroup() as tasks, router.database.transaction() as connection:
        await connection.execute(text("SELECT FROM teams FOR UPDATE"))
        tasks.create_task(work)
        async with asyncio.timeout(10):
            while not await router.rows(_WHO_WAITS):
                pass
        yield connection


async def free_rows(connection: AsyncConnection, table: str, where: str = "true") -> int:
    return len((await connection.execute(text(f"SELECT 1 FROM {table} WHERE {where} FOR UPDATE SKIP LOCKED"))).all())


async def test_who_declines_waits_for_the_line_without_holding_a_rep(router: Router) -> None:
    """A batch that holds the line will want the rep."""
    row = await owned(router)
    reps = len(await router.rows("SELECT rep FROM reps"))
    async with waiting_for_the_team(router, router.recorder.record(row["id"], "declined", None)) as connection:
        assert await free_rows(connection, "reps") == reps
        assert await free_rows(connection, "leads") == 1


async def test_an_erasure_beside_new_leads_waits_for_the_line_without_holding_a_rep(router: Router) -> None:
    """Although a rep loses a lead by it."""
    row = await owned(router)
    reps = len(await router.rows("SELECT rep FROM reps"))
    batch = [erasure(row["lead_id"]), envelope(lead())]
    async with waiting_for_the_team(router, router.handle(batch)) as connection:
        assert await free_rows(connection, "reps") == reps
    assert await router.rows(
        "SELECT state FROM assignments WHERE lead_id = :id AND state = 'erased'", id=row["lead_id"]
    )
    await router.books()


async def test_an_escalation_waits_for_the_line_without_holding_a_rep(router: Router) -> None:
    """Although it has counted that the rep ignores leads."""
    row = await owned(router)
    reps = len(await router.rows("SELECT rep FROM reps"))
    async with waiting_for_the_team(router, router.handle([step(row, "reassign")])) as connection:
        assert await free_rows(connection, "reps") == reps


async def test_a_batch_of_leads_and_steps_has_all_its_leads_before_it_waits_for_a_line(router: Router) -> None:
    """Otherwise it would hold the line and want the lead of who declines and wants the line."""
    row = await owned(router)
    async with waiting_for_the_team(router, router.handle([envelope(lead()), step(row, "reassign")])) as connection:
        assert await free_rows(connection, "leads", f"id = '{row['lead_id']}'") == 0


async def test_who_claims_has_counted_the_answer_before_waiting_for_the_line(router: Router) -> None:
    """As an escalation does: it waits for the line with that count in hand."""
    document = yaml.safe_load(routing(Endpoints(), {"sales": TEAM}))
    document["teams"][0]["choose"] = "broadcast"
    await router.apply(yaml.safe_dump(document))
    await router.leads(1)
    (offer, *_) = await router.rows("SELECT o.* FROM offers o JOIN ignored_leads i ON i.rep = o.rep")
    async with waiting_for_the_team(router, router.recorder.record(offer["id"], "acknowledged", None)) as connection:
        assert await free_rows(connection, "ignored_leads", f"rep = '{offer['rep']}'") == 0


async def test_managers_who_swap_leads_of_teams_that_share_nobody_do_not_wait_for_each_other(
    open_database: OpenDatabase,
) -> None:
    """Neither rep is of the team that the other's lead is promised by, so no line orders the two."""
    router = Router(open_database(ROUTER))
    await router.apply(routing(Endpoints(), {"a": ["anna"], "b": ["ben"], "west": ["wim"], "east": ["eve"]}))
    (west,), (east,) = await router.leads(1, "west"), await router.leads(1, "east")
    reassign = router.reassignment.reassign
    await reassign(Order(west.lead_id, "M", "why not"), "anna")
    await reassign(Order(east.lead_id, "M", "why not"), "ben")
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks, router.database.transaction() as connection:
        await connection.execute(text("SELECT FROM reps WHERE rep = 'anna' FOR UPDATE"))
        for waiting, (given, to) in enumerate(((east, "anna"), (west, "ben")), start=1):
            tasks.create_task(reassign(Order(given.lead_id, "M", "why not"), to))
            while len(await router.rows(_WHO_WAITS)) < waiting:
                pass
    assert {(await router.owner(given.lead_id))["rep"] for given in (west, east)} == {"anna", "ben"}
    await router.books()


def company(window: str = "60s") -> str:
    """Teams that share reps, choose in every way, overflow and pause."""
    document = yaml.safe_load(
        routing(Endpoints(), {"sales": TEAM, "more": ["anna", "dan"], "third": ["ben", "dan", "eve"]}, window=window)
    )
    ways: list[dict[str, Any]] = [
        {"overflow": "third"},
        {"choose": "broadcast", "claim_within": "1s"},
        {"choose": "least_loaded"},
    ]
    for team, way in zip(document["teams"], ways, strict=True):
        team.update(way, pause_after_ignored=2)
    return yaml.safe_dump({**document, "stickiness": {"by": ["person"]}, "same_person": {"within": "7d"}})


async def somebody_is_separated(router: Router) -> None:
    """Any touch, if there is one that nobody else separates meanwhile."""
    for touch in await router.rows("SELECT id FROM leads WHERE joined IS NOT NULL ORDER BY random() LIMIT 1"):
        with suppress(InterventionRefused):
            await router.separation.separate(Order(touch["id"], "M", "why not"))


async def something(router: Router, chance: random.Random) -> None:
    """What a replica does next."""
    leads = [
        lead(
            team=chance.choice(["sales", "more", "third"]),
            identity=chance.choice("abcdef"),
            email=f"{chance.random()}@example.com",
            phone=f"+{chance.randrange(60)}",
        )
        for _ in range(3)
    ]
    known = await router.rows("SELECT data FROM leads ORDER BY random() LIMIT 2")
    news = [revised(LeadReceived.model_validate(each["data"]), minutes=chance.random()) for each in known]
    owned = await router.rows("SELECT * FROM assignments WHERE ended_at IS NULL ORDER BY random() LIMIT 4")
    offers = await router.rows("SELECT id FROM offers WHERE state = 'open' ORDER BY random() LIMIT 1")
    ways = ["batch", "batch", "batch", "answer", "answer", "offer", "resume", "retry", "by hand", "reassign"]
    ways += ["apply", "bring"]
    match chance.choice(ways):
        case "batch":
            await router.consume(
                [*map(envelope, leads), *map(envelope, news), *(step(each, "reassign") for each in owned)]
            )
        case "answer" if owned:
            await router.recorder.record(owned[0]["id"], chance.choice(["declined", "contacted"]), None)
        case "offer" if offers:
            await router.recorder.record(offers[0]["id"], chance.choice(["declined", "contacted"]), None)
        case "by hand" if owned:
            order = Order(owned[0]["lead_id"], "M", "why not")
            with suppress(InterventionRefused):
                await router.by_hand.hold(order, None)
                await router.by_hand.release(order)
        case "reassign" if owned:
            order = Order(owned[0]["lead_id"], "M", "why not")
            with suppress(InterventionRefused):
                await router.reassignment.reassign(order, chance.choice([None, *TEAM, "dan"]))
        case "apply":
            await router.apply(company(chance.choice(["60s", "70s", "80s"])))
        case "bring":
            await router.terms.bring()
        case "resume":
            await router.people.resume(chance.choice(TEAM), by="a test")
        case "retry":
            router.unrouted.is_free(["sales", "more", "third"])
            await router.unrouted.retry()


async def test_two_replicas_that_do_everything_at_once_never_deadlock(open_database: OpenDatabase) -> None:
    """Any deadlock would be raised here."""
    routers = [Router(open_database(ROUTER)) for _ in range(2)]
    await routers[0].apply(company())

    async def worker(place: int) -> None:
        chance = random.Random(place)  # noqa: S311 - a test that can be told again
        for _ in range(20):
            await something(routers[place % 2], chance)
            if chance.random() < 0.1:
                await somebody_is_separated(routers[place % 2])

    await asyncio.gather(*(worker(place) for place in range(12)))
    await routers[0].books()
