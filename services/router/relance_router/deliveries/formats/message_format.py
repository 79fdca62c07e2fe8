"""What every format does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from relance_router.deliveries.notifications import Claimed


@dataclass(frozen=True)
class Request:
    """What is posted to a tool."""

    body: bytes
    headers: Mapping[str, str]


class MessageFormat(Protocol):
    """Writes notifications as one kind of tool takes them."""

    def request(self, notification: Claimed) -> Request:
        """The request for one attempt."""


def json_request(document: Mapping[str, Any]) -> Request:
    """A request whose body is this document."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Request(body, {"content-type": "application/json"})
