"""Promises of delivering webhooks, to real HTTP endpoints."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.system import WEBHOOK_SECRET, Endpoints, routing
from yarl import URL

from relance.clock import utc_now
from relance.database import Database
from relance.ids import AssignmentId, NotificationId, new_id
from relance_local.conditions import wait_until
from relance_local.services import ROUTER
from relance_router.answers.links import AnswerLinks
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries.addresses import PublicResolver, check_url, is_public
from relance_router.deliveries.announcements import NewNotification
from relance_router.deliveries.couriers import Couriers
from relance_router.deliveries.formats import MessageFormat, Slack, StandardWebhook, Teams
from relance_router.deliveries.mailer import Mailer, MailServer
from relance_router.deliveries.notifications import write_notifications
from relance_router.deliveries.sender import Sender
from relance_router.deliveries.worker import DeliveryWorker
from relance_router.domain.configuration import Format


@asynccontextmanager
async def listening(endpoints: Endpoints) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/{endpoint}", endpoints.listen)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", endpoints.port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def delivering(
    database: Database,
    *,
    allowed: frozenset[str] = frozenset(["127.0.0.1"]),
    per_endpoint: int = 8,
    mail_server: MailServer | None = None,
    email_after: timedelta = timedelta(minutes=2),
) -> AsyncIterator[DeliveryWorker]:
    links = AnswerLinks(public_url="http://router", secret="s" * 32, lifetime=timedelta(days=1))
    formats: dict[Format, MessageFormat] = {
        "webhook": StandardWebhook(links, [WEBHOOK_SECRET], utc_now),
        "slack": Slack(links),
        "teams": Teams(links),
    }
    timeout = timedelta(seconds=1)
    sender = Sender(allowed_hosts=allowed, timeout=timeout, clock=utc_now)
    worker = DeliveryWorker(
        database,
        ConfigurationVersions(),
        Couriers(sender, Mailer(mail_server, timeout=timeout), formats, links),
        concurrency=20,
        per_endpoint=per_endpoint,
        mails=4,
        email_after=email_after,
        lease=timedelta(seconds=3),
    )
    task = asyncio.create_task(worker.ticker.run())
    try:
        yield worker
    finally:
        worker.ticker.request_stop()
        await asyncio.wait_for(task, 30)
        await sender.close()


async def prepare(database: Database, endpoints: Endpoints, *, count: int, endpoint: str = "rep:anna") -> None:
    """Assignments with a notification each, for endpoints of a team."""
    async with database.transaction() as connection:
        content = routing(endpoints, {"sales": ["anna", "ben"]})
        await ConfigurationVersions().apply(connection, content)
        notifications = []
        for place in range(count):
            assignment = AssignmentId(new_id())
            await connection.execute(
                text("""
                    WITH lead AS (INSERT INTO leads (id, data, traceparent) VALUES (:id, '{}', '') RETURNING id)
                    INSERT INTO assignments
                    SELECT :id, id, 1, 'anna', 'sales', 1, 'r', 'open', now(), now(), NULL, 1, '{}' FROM lead
                """),
                {"id": assignment},
            )
            notifications.append(
                NewNotification(
                    id=NotificationId(new_id()),
                    key=f"{assignment}:assigned",
                    type="lead.assigned",
                    endpoint=endpoint,
                    details={"at": "2026-11-24T09:00:00Z", "place": place},
                    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    assignment_id=assignment,
                )
            )
        await write_notifications(connection, notifications)


async def states(database: Database) -> list[dict[str, Any]]:
    query = text("SELECT state, attempts, last_status, last_error FROM notifications ORDER BY id")
    async with database.transaction() as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]


async def settled(database: Database, state: str, count: int) -> None:
    async def reached() -> bool:
        return [each["state"] for each in await states(database)].count(state) >= count

    await wait_until(reached, what=f"{count} notifications to be {state}")


@pytest.fixture
def router_database(open_database: OpenDatabase) -> Database:
    """The router's tables."""
    return open_database(ROUTER)


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


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
        ),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    ],
)
def test_internal_addresses_are_told_from_public_ones(address: str) -> None:
    """Private, loopback, link-local, metadata, multicast, and the ways to write them in IPv6."""
    assert not is_public(address)
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1::1")


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f.1/", "http://[::ffff:127.0.0.1]/", "http://a:b@c/"])
async def test_disguised_addresses_are_refused(url: str) -> None:
    """Whatever the resolver makes of a number, and passwords in addresses."""
    resolver = PublicResolver(frozenset())
    parsed = URL(url)
    with pytest.raises(OSError, match=r"internal|password|address"):  # noqa: PT012 - either of two steps refuses
        check_url(parsed, frozenset())
        await resolver.resolve(str(parsed.host), 80)
    await resolver.close()
