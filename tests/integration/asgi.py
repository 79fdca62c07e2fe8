"""Asking an application without a server."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI


async def ask(app: FastAPI, path: str, query: str = "", *, method: str = "GET") -> tuple[int, str]:
    """The status and the body of the answer."""
    said: list[MutableMapping[str, Any]] = []
    asked = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if asked.is_set():
            await asyncio.Future()  # nobody leaves
        asked.set()
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": []}
    await app(scope, receive, send)
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:]).decode()
