"""A Microsoft Teams workflow webhook: an Adaptive Card 1.4 in a message envelope, of 28 kB at most.

https://adaptivecards.io/explorer/ and https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/
"""

from datetime import datetime
from typing import Any

from typing_extensions import override

from relance_router.answers.links import AnswerLinks
from relance_router.deliveries.formats.message_format import MessageFormat, Request, json_request
from relance_router.deliveries.notifications import Claimed
from relance_router.deliveries.wording import Button, wording


class Teams(MessageFormat):
    """Whatever somebody submitted stands in text runs, in which no Markdown and no template is read."""

    def __init__(self, links: AnswerLinks) -> None:
        self._links = links

    @override
    def request(self, notification: Claimed) -> Request:
        """A card with its facts and one link for each answer."""
        words = wording(notification, self._links)
        body = [_line(_run(words.title, weight="Bolder", size="Large"))]
        if words.sentence:
            body.append(_line(_run(words.sentence)))
        times = [
            {"title": label, "value": f"{{{{DATE({value:%Y-%m-%dT%H:%M:%SZ},SHORT)}}}} {_time(value)}"}
            for label, value in words.facts
            if isinstance(value, datetime)
        ]
        if times:
            body.append({"type": "FactSet", "facts": times})
        body += [
            _line(_run(f"{label}: ", weight="Bolder"), _run(value))
            for label, value in words.facts
            if isinstance(value, str)
        ]
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "fallbackText": words.title,
            "body": body,
            "actions": [_action(button) for button in words.buttons],
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        return json_request({"type": "message", "attachments": [attachment]})


def _time(value: datetime) -> str:
    return f"{{{{TIME({value:%Y-%m-%dT%H:%M:%SZ})}}}}"


def _line(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}


def _action(button: Button) -> dict[str, Any]:
    return {"type": "Action.OpenUrl", "title": button.label, "url": button.url}
