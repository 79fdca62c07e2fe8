"""What every request passes through: a limit on work in hand and on the body, the trace, a metric, one log line.

A request whose body is awaited is not in hand: it gives its place back until all of it is there.
Streams, which last as long as somebody looks, have a limit each and are not counted among the work in hand: they would
use it up while there is none.
"""

import time
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relance import tracing
from relance.http.arrivals import ARRIVED, Arrivals, Body
from relance.http.problems import Problem, unavailable, while_reading
from relance.logs import get_logger
from relance.metrics import HTTP_IN_FLIGHT, HTTP_REQUESTS, HTTP_SECONDS, HTTP_STREAMS

log = get_logger(__name__)

_OPERATOR_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


class Guards:
    """ASGI middleware. Overload is answered at once, before anything is read: memory has a bound."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        concurrency: int,
        body_limit: int,
        body_limits: Mapping[str, int],
        streams: Mapping[str, int],
    ) -> None:
        """`concurrency`: requests in hand, and as many whose bodies are awaited.

        `body_limits` are other limits by the beginning of the path; `streams`: by path, how many at once.
        """
        self._app = app
        self._concurrency = concurrency
        self._body_limit = body_limit
        self._body_limits = body_limits
        self._in_flight = 0
        HTTP_IN_FLIGHT.set_function(lambda: self._in_flight)
        self._arrivals = Arrivals(concurrency)
        self._streams = streams
        self._streaming: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _OPERATOR_PATHS:
            await self._app(scope, receive, send)
            return
        if scope["path"] in self._streams:
            await self._stream(scope, receive, send)
            return
        headers = dict(scope["headers"])
        tracing.enter(headers.get(b"traceparent", b"").decode("latin-1") or None)
        started = time.perf_counter()
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value  # what an exception on its way out will be answered with

        async def watched_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._in_flight += 1
        try:
            await self._guarded(scope, receive, watched_send, headers)
        finally:
            self._in_flight -= 1
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "(none)")
            HTTP_REQUESTS.labels(scope["method"], route, status).inc()
            HTTP_SECONDS.labels(scope["method"], route).observe(seconds)
            log.info(
                "request",
                method=scope["method"], route=route, status=status, milliseconds=round(seconds * 1000, 1),
                trace=tracing.trace_id(tracing.current()),
            )  # fmt: skip

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if self._streaming[path] >= self._streams[path]:
            full = unavailable("As many are connected as there is room for. Try again, or close one.")
            await full.response()(scope, receive, send)
            return
        self._streaming[path] += 1
        HTTP_STREAMS.labels(path).set(self._streaming[path])
        try:
            await self._app(scope, receive, send)
        finally:
            self._streaming[path] -= 1
            HTTP_STREAMS.labels(path).set(self._streaming[path])

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        if self._in_flight > self._concurrency:
            await _busy().response()(scope, receive, send)
            return
        path: str = scope["path"]
        limit = next((other for start, other in self._body_limits.items() if path.startswith(start)), self._body_limit)
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await _too_large(limit).response()(scope, receive, send)
            return
        client = scope.get("client")
        # Nobody waits for a body of GET: what streams its answer waits for the client to hang up.
        arrived = ARRIVED in scope.get("state", ()) or scope["method"] == "GET"
        body = Body(client[0] if client else "", complete=arrived)

        async def limited_receive() -> Message:
            here = body.complete
            message = await (receive() if here else self._awaited(body, receive))
            body.size += len(message.get("body", b""))
            if body.size > limit:
                raise while_reading(_too_large(limit))
            if not here and body.complete and self._in_flight > self._concurrency:
                raise while_reading(_busy())
            return message

        await self._app(scope, limited_receive, send)

    async def _awaited(self, body: Body, receive: Receive) -> Message:
        self._in_flight -= 1
        try:
            return await self._arrivals.message(body, receive)
        finally:
            self._in_flight += 1


def _busy() -> Problem:
    return unavailable("Too many requests are being worked on. Nothing was stored: send it again.")


def _too_large(limit: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "Body too large",
        f"A body may have {limit} bytes at most. Nothing was stored.",
    )
