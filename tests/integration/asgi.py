"""Asking an application without a server."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI


async def ask(app: FastAPI, path: str, query: str = "", *, method: str = "GET", body: object = None) -> tuple[int, str]:
    """The status and the body of the answer; `body` is sent as JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    said: list[MutableMapping[str, Any]] = []
    asked = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if asked.is_set():
            await asyncio.Future()  # nobody leaves
        asked.set()
        return {"type": "http.request", "body": content}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": headers}
    await app(scope, receive, send)
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:]).decode()
