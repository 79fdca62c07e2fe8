"""Promises of how much a partner may send."""

import asyncio
import json
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from relance.http.problems import Problem
from relance_ingest.http.partners import BODY_LIMIT, body_of

LARGE = 300_000


def test_a_contact_of_hubspot_that_is_known_for_long_is_small_enough_to_be_taken() -> None:
    """A workflow sends each property with its history, and tries nothing again that was refused (its documents)."""
    version = {
        "value": "a value of this property",
        "timestamp": 1764000000000,
        "source-type": "CRM_UI",
        "source-id": "userId:1234567",
        "source-label": None,
        "updated-by-user-id": 1234567,
        "selected": False,
        "source-vid": [51],
        "request-id": "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "use-timestamp-as-persistence-timestamp": False,
        "is-large-value": False,
    }
    properties = {f"property_{n}": {"value": "v", "versions": [version] * 20} for n in range(200)}
    assert len(json.dumps({"vid": 51, "properties": properties})) <= BODY_LIMIT


async def test_of_large_bodies_few_are_held_at_once() -> None:
    """They are read before anybody knows who sent them: memory has a bound. What finds no place is sent again."""
    places = asyncio.Semaphore(1)
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        assert len(await body_of(_request(LARGE, places), first)) == LARGE
        assert len(await body_of(_request(1000, places), second)) == 1000
        with pytest.raises(Problem) as refusal:
            await body_of(_request(LARGE, places), second)
        assert refusal.value.status == 503
        await first.aclose()
        assert len(await body_of(_request(LARGE, places), second)) == LARGE


async def test_a_large_body_takes_no_place_while_it_arrives() -> None:
    """Whoever sends slowly, with no signature yet, keeps nobody's out."""
    places = asyncio.Semaphore(1)
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        slow = asyncio.create_task(body_of(_request(LARGE, places, stuck=True), first))
        await asyncio.sleep(0)
        assert len(await body_of(_request(LARGE, places), second)) == LARGE
        slow.cancel()


def _request(size: int, places: asyncio.Semaphore, *, stuck: bool = False) -> Request:
    left = [b"x" * 1000] * (size // 1000)
    app = SimpleNamespace(state=SimpleNamespace(large_bodies=places))
    scope: dict[str, Any] = {"type": "http", "method": "POST", "headers": [], "app": app}

    async def receive() -> Message:
        if stuck and len(left) == 1:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

    return Request(scope, receive)
