"""One e-mail by SMTP: hand it to the operator's mail server, and say what came of it."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import Literal

import aiosmtplib

from relance_router.domain.retry_schedule import Outcome

Security = Literal["starttls", "tls", "none"]

_ACCEPTED = 250
_PERMANENT = 500
"""SMTP's replies from here on are for good (RFC 5321, 4.2.1)."""


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in."""

    host: str
    port: int
    sender: str
    security: Security = "starttls"
    username: str | None = None
    password: str | None = None


class Mailer:
    """Sends mail, one connection for each: few are sent, and only when something else fails."""

    def __init__(self, server: MailServer | None, *, timeout: timedelta) -> None:
        self._server = server
        self._timeout = timeout

    @property
    def sender(self) -> str:
        """Who the mail is from."""
        return self._server.sender if self._server else ""

    @property
    def address(self) -> str:
        """The server, by host and port; its health is remembered for this address."""
        return f"{self._server.host}:{self._server.port}" if self._server else ""

    async def send(self, message: EmailMessage) -> Outcome:
        """Make one attempt."""
        server = self._server
        if server is None:
            sentence = "e-mail is needed and no mail server is configured: set RELANCE_SMTP_HOST and RELANCE_SMTP_FROM"
            return Outcome(None, sentence, hopeless=True, about_the_message=True)
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return Outcome(_ACCEPTED, response=await self._hand_in(server, message))
        except (aiosmtplib.SMTPException, OSError) as error:
            return _refused(error)

    async def _hand_in(self, server: MailServer, message: EmailMessage) -> str:
        _, reply = await aiosmtplib.send(
            message,
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            timeout=self._timeout.total_seconds(),
        )
        return reply


def _refused(error: aiosmtplib.SMTPException | OSError) -> Outcome:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, TimeoutError):
        return Outcome(None, "no answer from the mail server in time")
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return Outcome(None, f"{type(error).__name__}: {error}")
    # What is wrong with the server, the sender or the password an operator may mend, so it is tried again.
    about_the_message = isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError)
    return Outcome(
        error.code,
        f"the mail server answered {error.code} {error.message}",
        hopeless=about_the_message and error.code >= _PERMANENT,
        about_the_message=about_the_message,
    )
