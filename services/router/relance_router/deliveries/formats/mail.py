"""An e-mail: plain text, and the same as simple HTML."""

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from relance_router.answers.links import AnswerLinks
from relance_router.deliveries.notifications import Claimed
from relance_router.deliveries.wording import wording

_HTML = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
).get_template("mail.html")


def mail(notification: Claimed, links: AnswerLinks, *, sender: str, recipient: str) -> EmailMessage:
    """The message. Its Message-ID is the notification's id, so that a repeat is recognised as one."""
    words = wording(notification, links)
    facts = [(_line(label), _said(value)) for label, value in words.facts]
    message = EmailMessage(SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = _line(words.title)
    message["Date"] = format_datetime(notification.claimed_at)
    message["Message-ID"] = f"<{notification.id}@{parseaddr(sender)[1].partition('@')[2]}>"
    # RFC 3834: out-of-office programs are not to answer.
    message["Auto-Submitted"] = "auto-generated"
    lines = [words.title, "", words.sentence, "", *(f"{label}: {value}" for label, value in facts)]
    lines += ["", *(f"{button.label}: {button.url}" for button in words.buttons)]
    message.set_content("\n".join(lines).strip() + "\n")
    message.add_alternative(_HTML.render(words=words, facts=facts), subtype="html")
    return message


def _said(value: str | datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value


def _line(text: str) -> str:
    return " ".join(text.split())
