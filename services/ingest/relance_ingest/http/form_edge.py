"""What every answer below `/v1/forms/` passes on its way out, whoever gives it, overload included.

A page of another site may read the answer when its source lists the page's origin (CORS), also when it is an error; and
a browser without script gets a problem as a page.
"""

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relance_ingest.domain.origins import Page, page_of
from relance_ingest.http.form_pages import refused, wants_html
from relance_ingest.sources import Sources

_BELOW = "/v1/forms/"


class FormEdge:
    """ASGI middleware, the outermost. FastAPI's own for CORS knows one list of origins, we one per source."""

    def __init__(self, app: ASGIApp, sources: Sources) -> None:
        self._app = app
        self._sources = sources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_BELOW):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if wants_html(headers):
            send = _pages_for_problems(scope, receive, headers, send)
        await self._app(scope, receive, self._readable(scope["path"], headers, send))

    def _readable(self, path: str, headers: Headers, send: Send) -> Send:
        source = self._sources.named(path.removeprefix(_BELOW).partition("/")[0])
        if source is None or not source.forms.origins:
            return send
        origin = headers.get("origin")
        allowed = page_of(origin, headers.get("host"), source.forms.origins) is Page.ALLOWED

        async def with_origin(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered.add_vary_header("Origin")
                if origin and allowed:
                    answered["Access-Control-Allow-Origin"] = origin
                    answered["Access-Control-Expose-Headers"] = "Retry-After"
            await send(message)

        return with_origin


def _pages_for_problems(scope: Scope, receive: Receive, headers: Headers, send: Send) -> Send:
    held: Message | None = None
    body = b""

    async def paged(message: Message) -> None:
        nonlocal held, body
        if message["type"] == "http.response.start":
            answered = Headers(raw=message["headers"])
            if answered.get("content-type") == "application/problem+json":
                held = message
                return
        if held is None:
            await send(message)
            return
        body += message.get("body", b"")
        if not message.get("more_body"):
            page = refused(headers, json.loads(body))
            kept = [
                (name, value) for name, value in held["headers"] if name not in {b"content-type", b"content-length"}
            ]
            page.raw_headers.extend(kept)
            await page(scope, receive, send)

    return paged
