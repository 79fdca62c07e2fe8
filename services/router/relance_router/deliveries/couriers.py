"""One attempt at one notification, on the way that it was claimed for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from relance_router.answers.links import AnswerLinks
from relance_router.deliveries.formats import MessageFormat
from relance_router.deliveries.formats.mail import mail
from relance_router.deliveries.mailer import Mailer
from relance_router.deliveries.notifications import Claimed
from relance_router.deliveries.sender import Sender
from relance_router.domain.configuration import Format, Reachable
from relance_router.domain.retry_schedule import Outcome

Way = Literal["webhook", "slack", "teams", "email", "none"]
"""`none`: it came to no attempt at any."""


@dataclass(frozen=True)
class Attempt:
    """What was tried, and what came of it."""

    way: Way
    outcome: Outcome


class Couriers:
    """Knows how each kind of contact is told."""

    def __init__(
        self, sender: Sender, mailer: Mailer, formats: Mapping[Format, MessageFormat], links: AnswerLinks
    ) -> None:
        self.mailer = mailer
        self._sender = sender
        self._formats = formats
        self._links = links

    async def attempt(self, notification: Claimed, contact: Reachable | None) -> Attempt:
        """Make one attempt."""
        if notification.by_email and contact and contact.email:
            message = mail(notification, self._links, sender=self.mailer.sender, recipient=contact.email)
            return Attempt("email", await self.mailer.send(message))
        if contact is None or contact.address is None:
            return Attempt("none", Outcome(None, f"the configuration has no {notification.endpoint}"))
        format_, address = contact.address
        request = self._formats[format_].request(notification)
        return Attempt(format_, await self._sender.send(request, address))
