"""A delivery worker of the test's own, and what it is to deliver."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from aiohttp import web
from fastapi import FastAPI
from sqlalchemy import text
from tests.http_servers import answering
from tests.system import WEBHOOK_SECRET, Endpoints, routing

from relance.clock import utc_now
from relance.database import Database
from relance.events import LeadReceived
from relance.http.serve import HttpServer, guarded
from relance.ids import AssignmentId, NotificationId, new_id
from relance.settings import ServiceSettings
from relance_local.conditions import free_port, wait_until
from relance_router.answers.links import AnswerLinks
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries.announcements import NewNotification
from relance_router.deliveries.couriers import Couriers
from relance_router.deliveries.formats import MessageFormat, Slack, StandardWebhook, Teams
from relance_router.deliveries.mailer import Mailer, MailServer
from relance_router.deliveries.notifications import write_notifications
from relance_router.deliveries.sender import Sender
from relance_router.deliveries.worker import DeliveryWorker
from relance_router.domain.configuration import Format
from relance_router.routing.leads import keep
from relance_router.routing.requests import Cause, Request


@dataclass
class Tool:
    """A chat tool, or a mailbox at a web address: takes whatever is posted, and answers as it is told."""

    port: int = field(default_factory=free_port)
    received: list[tuple[str, bytes]] = field(default_factory=list)
    """Which endpoint (the path), and the body."""
    answers: dict[str, web.Response] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    """Endpoints that take the request and never answer."""

    def url(self, endpoint: str) -> str:
        """Where an endpoint's messages are posted."""
        return f"http://127.0.0.1:{self.port}/{endpoint}"

    async def listen(self, request: web.Request) -> web.Response:
        """Take one message."""
        endpoint = request.match_info["endpoint"]
        self.received.append((endpoint, await request.read()))
        if endpoint in self.silent:
            await asyncio.Event().wait()
        told = self.answers.get(endpoint) or web.Response(status=200)
        return web.Response(status=told.status, headers=told.headers, body=told.body)


@asynccontextmanager
async def listening(endpoints: Endpoints | Tool) -> AsyncIterator[None]:
    async with answering(endpoints.port, web.post("/{endpoint}", endpoints.listen)):
        yield


@asynccontextmanager
async def delivering(
    database: Database,
    *,
    allowed: frozenset[str] = frozenset(["127.0.0.1"]),
    per_endpoint: int = 8,
    mail_server: MailServer | None = None,
    email_after: timedelta = timedelta(minutes=2),
    patience: timedelta = timedelta(seconds=20),
) -> AsyncIterator[DeliveryWorker]:
    """No attempt is given up or made by another because the machine is slow; `patience` is for who never answers."""
    links = AnswerLinks(public_url="http://router", secret="s" * 32, lifetime=timedelta(days=1))
    formats: dict[Format, MessageFormat] = {
        "webhook": StandardWebhook(links, [WEBHOOK_SECRET], utc_now),
        "slack": Slack(links),
        "teams": Teams(links),
    }
    sender = Sender(allowed_hosts=allowed, timeout=patience, clock=utc_now)
    worker = DeliveryWorker(
        database,
        ConfigurationVersions(),
        Couriers(sender, Mailer(mail_server, timeout=patience), formats, links),
        concurrency=20,
        per_endpoint=per_endpoint,
        mails=4,
        email_after=email_after,
        lease=timedelta(minutes=1),
    )
    task = asyncio.create_task(worker.ticker.run())
    try:
        yield worker
    finally:
        worker.ticker.request_stop()
        await asyncio.wait_for(task, 30)
        await sender.close()


async def apply(
    database: Database, endpoints: Endpoints | Tool, reps: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Run a configuration with anna and ben in team sales."""
    async with database.transaction() as connection:
        content = routing(Endpoints(endpoints.port), {"sales": ["anna", "ben"]}, reps=reps)
        await ConfigurationVersions().apply(connection, content)


async def prepare(database: Database, endpoints: Endpoints, *, count: int, endpoint: str = "rep:anna") -> None:
    """Assignments with a notification each, for endpoints of a team."""
    await apply(database, endpoints)
    async with database.transaction() as connection:
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


async def announce(
    database: Database,
    endpoint: str,
    *,
    lead: LeadReceived | None = None,
    count: int = 1,
    type_: str = "lead.reminder",
) -> list[UUID]:
    """Write notifications without an assignment; of one lead when it is given. Returns their ids, in order."""
    ids = [NotificationId(new_id()) for _ in range(count)]
    async with database.transaction() as connection:
        if lead:
            running = await ConfigurationVersions().running(connection)
            await keep(connection, running.configuration, [Request(Cause.NEW, lead, "")], {})
        await write_notifications(
            connection,
            [
                NewNotification(
                    id=id_,
                    key=str(id_),
                    type=type_,
                    endpoint=endpoint,
                    details={"at": "2026-11-24T09:00:00Z", "rep": "anna", "team": "sales"},
                    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    lead_id=lead.lead_id if lead else None,
                )
                for id_ in ids
            ],
        )
    return list(ids)


async def rows(database: Database, query: str, **values: Any) -> list[dict[str, Any]]:
    """Rows of a query."""
    async with database.transaction() as connection:
        return [dict(row) for row in (await connection.execute(text(query), values)).mappings()]


@asynccontextmanager
async def serving(app: FastAPI, settings: ServiceSettings) -> AsyncIterator[str]:
    """Serve an application as services do; gives its address."""
    port = free_port()
    server = HttpServer(guarded(app, settings, {}), settings.model_copy(update={"http_port": port}))
    task = asyncio.create_task(server.run())

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return task.done()
        writer.close()
        await writer.wait_closed()
        return True

    try:
        await wait_until(listens, what="the server to listen")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.request_stop()
        await task
