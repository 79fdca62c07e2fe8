"""How a notification is laid out for each kind of tool; a file for each, behind one protocol."""

from relance_router.deliveries.formats.message_format import MessageFormat, Request
from relance_router.deliveries.formats.slack import Slack
from relance_router.deliveries.formats.standard_webhook import StandardWebhook
from relance_router.deliveries.formats.teams import Teams

__all__ = ["MessageFormat", "Request", "Slack", "StandardWebhook", "Teams"]
