"""Promises of delivering webhooks, to real HTTP endpoints."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.integration.delivering import (
    Tool,
    announce,
    apply,
    delivering,
    listening,
    prepare,
    rows,
    settled,
    states,
)
from tests.integration.events import lead
from tests.system import Endpoints
from yarl import URL

from relance.database import Database
from relance.ids import NotificationId
from relance_local.conditions import wait_until
from relance_router.deliveries.addresses import PublicResolver, check_url
from relance_router.deliveries.notifications import Room, claim


async def test_every_notification_arrives_signed_and_once(router_database: Database) -> None:
    """The endpoint's own secret; the id is the notification's."""
    endpoints = Endpoints()
    await prepare(router_database, endpoints, count=60)
    async with listening(endpoints), delivering(router_database), delivering(router_database):
        await settled(router_database, "delivered", 60)
    assert len({each.id for each in endpoints.received}) == len(endpoints.received) == 60


async def test_a_failing_endpoint_is_tried_again_after_a_restart_with_the_same_id(router_database: Database) -> None:
    """The worker that tries again is another one; the receiver can tell that it is the same notification."""
    endpoints = Endpoints(answers_with={"rep:anna": 500})
    await prepare(router_database, endpoints, count=1)
    async with listening(endpoints):
        async with delivering(router_database):
            await wait_until(lambda: bool(endpoints.received), what="the first attempt")
        (state,) = await states(router_database)
        assert (state["state"], state["attempts"] >= 1, state["last_status"]) == ("pending", True, 500)
        endpoints.answers_with.clear()
        async with delivering(router_database):
            await settled(router_database, "delivered", 1)
    assert len(endpoints.received) >= 2
    assert len({each.id for each in endpoints.received}) == 1


async def test_an_endpoint_that_is_gone_is_given_up(router_database: Database) -> None:
    """410, with the reason in the delivery log."""
    endpoints = Endpoints(answers_with={"rep:anna": 410})
    await prepare(router_database, endpoints, count=1)
    async with listening(endpoints), delivering(router_database):
        await settled(router_database, "failed", 1)
    (state,) = await states(router_database)
    assert (state["attempts"], state["last_error"]) == (1, "the endpoint answered 410 Gone")


async def test_a_stop_waits_for_the_attempt_in_hand_and_stores_what_came_of_it(router_database: Database) -> None:
    """Otherwise every deployment would tell reps twice."""
    endpoints = Endpoints(hold=asyncio.Event())
    await prepare(router_database, endpoints, count=1)
    async with listening(endpoints):
        async with delivering(router_database) as worker:
            await wait_until(lambda: bool(endpoints.received), what="the attempt to be under way")
            worker.ticker.request_stop()
            assert endpoints.hold
            endpoints.hold.set()
        (state,) = await states(router_database)
    assert (state["state"], state["attempts"], len(endpoints.received)) == ("delivered", 1, 1)


async def test_an_internal_address_is_never_called(router_database: Database) -> None:
    """Invariant 7: unless the operator allows the host."""
    endpoints = Endpoints()
    await prepare(router_database, endpoints, count=1)
    async with listening(endpoints), delivering(router_database, allowed=frozenset()):

        async def refused() -> bool:
            (state,) = await states(router_database)
            return "internal address" in (state["last_error"] or "")

        await wait_until(refused, what="the attempt to be refused")
    assert endpoints.received == []


async def test_an_attempt_that_was_under_way_in_a_crash_is_made_again(router_database: Database) -> None:
    """The lease runs out; here it is moved, instead of waited for."""
    endpoints = Endpoints()
    await prepare(router_database, endpoints, count=1)
    async with router_database.transaction() as connection:
        claimed = text("UPDATE notifications SET attempts = 1, next_attempt_at = now() + interval '200 milliseconds'")
        await connection.execute(claimed)
    async with listening(endpoints), delivering(router_database):
        await settled(router_database, "delivered", 1)
    (state,) = await states(router_database)
    assert state["attempts"] == 2


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f.1/", "http://[::ffff:127.0.0.1]/", "http://a:b@c/"])
async def test_disguised_addresses_are_refused(url: str) -> None:
    """Whatever the resolver makes of a number, and passwords in addresses."""
    resolver = PublicResolver(frozenset())
    parsed = URL(url)
    with pytest.raises(OSError, match=r"internal|password|address"):  # noqa: PT012 - either of two steps refuses
        check_url(parsed, frozenset())
        await resolver.resolve(str(parsed.host), 80)
    await resolver.close()


async def test_chat_tools_get_their_own_formats(router_database: Database) -> None:
    """Slack its blocks, Teams its card, and each is logged as what it is."""
    tool = Tool()
    reps = {
        "anna": {"webhook": None, "slack": tool.url("slack")},
        "ben": {"webhook": None, "teams": tool.url("teams")},
    }
    await apply(router_database, tool, reps=reps)
    for endpoint in ("rep:anna", "rep:ben"):
        await announce(router_database, endpoint, lead=lead())
    async with listening(tool), delivering(router_database):
        await settled(router_database, "delivered", 2)
    bodies = {endpoint: json.loads(body) for endpoint, body in tool.received}
    assert [block["type"] for block in bodies["slack"]["blocks"]] == ["header", "section", "section"]
    assert bodies["teams"]["attachments"][0]["content"]["type"] == "AdaptiveCard"
    logged = await rows(router_database, "SELECT way, status FROM delivery_attempts ORDER BY way")
    assert logged == [{"way": "slack", "status": 200}, {"way": "teams", "status": 200}]


async def test_workers_that_claim_at_the_same_moment_never_claim_the_same(router_database: Database) -> None:
    """Whoever looked before the other's claim was committed sees it when it takes the row."""
    await announce(router_database, "rep:anna", count=400)

    async def claim_all() -> list[NotificationId]:
        claimed: list[NotificationId] = []
        while True:
            async with router_database.transaction() as connection:
                rooms = [Room("rep:anna", 5)]
                found = await claim(connection, rooms, by_email=False, batch=5, lease=timedelta(minutes=1))
            claimed += [each.id for each in found]
            if not found:
                return claimed

    claimed = [id_ for each in await asyncio.gather(*(claim_all() for _ in range(8))) for id_ in each]
    assert len(claimed) == len(set(claimed))
    assert await rows(router_database, "SELECT DISTINCT attempts FROM notifications WHERE attempts > 0") == [
        {"attempts": 1}
    ]
