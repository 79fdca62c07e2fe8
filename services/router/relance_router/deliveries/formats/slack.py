"""A Slack incoming webhook: Block Kit, whose limits are 150 characters in a header and 10 fields of 2000 in a section.

https://docs.slack.dev/reference/block-kit/blocks and https://docs.slack.dev/messaging/formatting-message-text
"""

from datetime import datetime
from typing import Any

from typing_extensions import override

from relance_router.answers.links import AnswerLinks
from relance_router.deliveries.formats.message_format import MessageFormat, Request, json_request
from relance_router.deliveries.notifications import Claimed
from relance_router.deliveries.wording import Button, Fact, shortened, wording

LONGEST_HEADER = 150
LONGEST_TEXT = 3000
LONGEST_FIELD = 2000
MOST_FIELDS = 10
LONGEST_BUTTON = 75

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


class Slack(MessageFormat):
    """Buttons are links: an incoming webhook takes no answers."""

    def __init__(self, links: AnswerLinks) -> None:
        self._links = links

    @override
    def request(self, notification: Claimed) -> Request:
        """Blocks, and a text for where blocks are not shown."""
        words = wording(notification, self._links)
        blocks: list[dict[str, Any]] = [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": shortened(words.title, LONGEST_HEADER), "emoji": False},
            }
        ]
        if words.sentence:
            blocks.append({"type": "section", "text": _mrkdwn(escaped(words.sentence, LONGEST_TEXT))})
        for start in range(0, len(words.facts), MOST_FIELDS):
            fields = [_mrkdwn(_field(fact)) for fact in words.facts[start : start + MOST_FIELDS]]
            blocks.append({"type": "section", "fields": fields})
        if words.buttons:
            blocks.append({"type": "actions", "elements": [_button(button) for button in words.buttons]})
        text = escaped(f"{words.title}. {words.sentence}".strip(), LONGEST_TEXT)
        return json_request({"text": text, "blocks": blocks})


def escaped(text: str, limit: int) -> str:
    """Text that mentions, links and commands nothing, within `limit` characters and never cut inside an entity."""
    parts: list[str] = []
    left = limit - 1
    for character in text:
        part = _ENTITIES.get(character, character)
        if len(part) > left:
            parts.append("…")
            break
        left -= len(part)
        parts.append(part)
    return "".join(parts)


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: Slack is not to look for links, channels and people in what somebody submitted.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _field(fact: Fact) -> str:
    label, value = fact
    head = f"*{escaped(label, LONGEST_FIELD // 2)}*\n"
    if isinstance(value, datetime):
        return f"{head}<!date^{int(value.timestamp())}^{{date_short_pretty}} {{time}}|{value:%Y-%m-%d %H:%M} UTC>"
    return head + escaped(value, LONGEST_FIELD - len(head))


def _button(button: Button) -> dict[str, Any]:
    label = {"type": "plain_text", "text": shortened(button.label, LONGEST_BUTTON), "emoji": False}
    return {"type": "button", "text": label, "url": button.url}
