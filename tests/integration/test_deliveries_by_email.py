"""Promises of telling people by e-mail when their tool does not take it, with a real SMTP server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.integration.delivering import Tool, announce, apply, delivering, listening, rows
from tests.integration.events import lead

from relance.database import Database
from relance_local.conditions import free_port, wait_until
from relance_router.deliveries.mailer import MailServer

ADDRESS = "anna@example.com"


@dataclass
class Mailbox:
    """A mail server that keeps what it takes, and refuses whom it is told to refuse."""

    port: int = field(default_factory=free_port)
    received: list[tuple[str, Message]] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)

    @property
    def server(self) -> MailServer:
        """As the router is told of it."""
        return MailServer("127.0.0.1", self.port, "relance@leads.example", security="none")

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        self.received.append((envelope.rcpt_tos[0], message_from_bytes(envelope.content, policy=default)))
        return "250 taken"


@asynccontextmanager
async def taking_mail(mailbox: Mailbox) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop), "127.0.0.1", mailbox.port)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


async def told(database: Database, tool: Tool, **anna: str | None) -> None:
    """Anna is told so."""
    await apply(database, tool, reps={"anna": {"webhook": tool.url("rep:anna"), "email": ADDRESS, **anna}})


async def notifications(database: Database) -> list[dict[str, Any]]:
    return await rows(database, "SELECT state, email_state, attempts, last_error FROM notifications ORDER BY sequence")


async def attempts(database: Database, way: str = "email") -> list[dict[str, Any]]:
    query = "SELECT status, error, response FROM delivery_attempts WHERE way = :way ORDER BY at"
    return await rows(database, query, way=way)


async def become(database: Database, state: str, email_state: str) -> None:
    async def reached() -> bool:
        return all(
            (each["state"], each["email_state"]) == (state, email_state) for each in await notifications(database)
        )

    await wait_until(reached, what=f"all notifications to be {state}, their e-mail {email_state}")


async def test_who_has_only_email_is_told_by_it(router_database: Database) -> None:
    """At once, in order for one lead, with the notification's id as Message-ID."""
    tool, mailbox = Tool(), Mailbox()
    await told(router_database, tool, webhook=None)
    ids = await announce(router_database, "rep:anna", lead=lead(), count=3)
    async with taking_mail(mailbox), delivering(router_database, mail_server=mailbox.server):
        await become(router_database, "delivered", "sent")
    assert tool.received == []
    assert [recipient for recipient, _ in mailbox.received] == [ADDRESS] * 3
    assert [mail["Message-ID"] for _, mail in mailbox.received] == [f"<{id_}@leads.example>" for id_ in ids]
    assert [(each["status"], each["response"]) for each in await attempts(router_database)] == [(250, "taken")] * 3


async def test_what_a_tool_does_not_take_in_time_goes_by_email_once_and_is_tried_on(router_database: Database) -> None:
    """The rep knows; the tool is told when it is back, under the same id."""
    tool, mailbox = Tool(answers={"rep:anna": web.Response(status=400)}), Mailbox()
    await told(router_database, tool)
    await announce(router_database, "rep:anna")
    async with (
        listening(tool),
        taking_mail(mailbox),
        delivering(router_database, mail_server=mailbox.server, email_after=timedelta(milliseconds=300)),
    ):
        await become(router_database, "pending", "sent")
        tried = len(tool.received)
        await wait_until(lambda: len(tool.received) > tried, what="the tool to be tried on")
        tool.answers.clear()
        await become(router_database, "delivered", "sent")
    assert len(mailbox.received) == 1


async def test_what_a_tool_takes_in_time_does_not_go_by_email(router_database: Database) -> None:
    """E-mail is for what fails."""
    tool, mailbox = Tool(), Mailbox()
    await told(router_database, tool)
    await announce(router_database, "rep:anna", count=20)
    async with listening(tool), taking_mail(mailbox), delivering(router_database, mail_server=mailbox.server):
        await become(router_database, "delivered", "unsent")
    assert mailbox.received == []


async def test_while_a_circuit_is_open_what_waits_goes_by_email_at_once(router_database: Database) -> None:
    """Each once, and without an attempt at the tool."""
    tool, mailbox = Tool(answers={"rep:anna": web.Response(status=500)}), Mailbox()
    await told(router_database, tool)
    await announce(router_database, "rep:anna", count=30)
    async with (
        listening(tool),
        taking_mail(mailbox),
        delivering(router_database, mail_server=mailbox.server, per_endpoint=1),
    ):
        await become(router_database, "pending", "sent")
    assert len({mail["Message-ID"] for _, mail in mailbox.received}) == len(mailbox.received) == 30
    untried = [each for each in await notifications(router_database) if each["attempts"] == 0]
    assert len(untried) >= 20


async def test_who_has_a_tool_that_is_gone_is_told_by_email(router_database: Database) -> None:
    """Also of the notification that found it gone."""
    tool, mailbox = Tool(answers={"rep:anna": web.Response(status=410)}), Mailbox()
    await told(router_database, tool)
    await announce(router_database, "rep:anna", count=5)
    async with (
        listening(tool),
        taking_mail(mailbox),
        delivering(router_database, mail_server=mailbox.server, per_endpoint=1),
    ):
        await become(router_database, "delivered", "sent")
    assert (len(tool.received), len(mailbox.received)) == (1, 5)


async def test_without_a_mail_server_the_log_says_so(router_database: Database) -> None:
    """In one sentence that says what to set."""
    tool = Tool()
    await told(router_database, tool, webhook=None)
    await announce(router_database, "rep:anna")
    async with delivering(router_database):
        await become(router_database, "failed", "failed")
    (attempt,) = await attempts(router_database)
    assert attempt["error"].startswith("e-mail is needed and no mail server is configured: set RELANCE_SMTP_HOST")
    (notification,) = await notifications(router_database)
    assert notification["last_error"] == attempt["error"]


async def test_a_mailbox_that_does_not_exist_is_given_up_and_one_that_is_full_is_tried_again(
    router_database: Database,
) -> None:
    """5xx is for good, 4xx is not; neither is taken for a dead mail server."""
    tool, mailbox = Tool(), Mailbox(refuses={ADDRESS: "550 no such mailbox", "ben@example.com": "452 full"})
    reps = {name: {"webhook": None, "email": f"{name}@example.com"} for name in ("anna", "ben")}
    await apply(router_database, tool, reps=reps)
    await announce(router_database, "rep:anna", count=10)
    async with taking_mail(mailbox), delivering(router_database, mail_server=mailbox.server):
        await become(router_database, "failed", "failed")
        await announce(router_database, "rep:ben")

        async def refused() -> bool:
            return any(each["status"] == 452 for each in await attempts(router_database))

        await wait_until(refused, what="the full mailbox to refuse")
        mailbox.refuses.clear()

        async def taken() -> bool:
            return bool((await notifications(router_database))[-1]["state"] == "delivered")

        await wait_until(taken, what="ben to be told")
    assert await rows(router_database, "SELECT 1 FROM endpoints WHERE failures > 0") == []


async def test_a_mail_server_that_is_away_is_left_alone_and_everything_is_sent_once_it_is_back(
    router_database: Database,
) -> None:
    """It has a circuit like every endpoint."""
    tool, mailbox = Tool(), Mailbox()
    await told(router_database, tool, webhook=None)
    await announce(router_database, "rep:anna", count=20)
    async with delivering(router_database, mail_server=mailbox.server):

        async def opened() -> bool:
            query = "SELECT 1 FROM endpoints WHERE endpoint = 'smtp' AND open_until IS NOT NULL"
            return bool(await rows(router_database, query))

        await wait_until(opened, what="the mail server's circuit to open")
        async with taking_mail(mailbox):
            await become(router_database, "delivered", "sent")
    assert len(mailbox.received) == 20
