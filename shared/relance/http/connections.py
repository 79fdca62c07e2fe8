"""A connection that does not wait for ever, nor read headers without end.

Uvicorn leaves both to a proxy: its httptools protocol has no limit on headers, and its one timeout (keep-alive) begins
after the first answer. A client that sends a byte now and then would hold a connection, and once its headers are there
one of the requests that we work on at once.
"""

import asyncio
from datetime import timedelta
from http import HTTPStatus

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from relance.http.arrivals import ARRIVED
from relance.http.problems import Problem
from relance.settings import ServiceSettings

MOST_HEADERS = 100
_READ_AFTER_ANSWER = 16 * 1024 * 1024
"""Bytes that a client may still send, which reads its answer only then."""


class _TooLarge(Exception):
    """The headers are."""


class LimitedConnection(HttpToolsProtocol):
    """Answers 431 to headers above `limit` (bytes), and closes when a request has not arrived within `patience`."""

    limit: int
    patience: timedelta
    _deadline: asyncio.TimerHandle | None = None
    _in_headers = True
    _complete = True
    _lingers = False
    _last_answer = b""
    _unparsed = 0

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        self._expect()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)
        if self.cycle is not None:
            self.cycle.transport = self.transport  # for `_Closing` holds us: until garbage is collected, which is rare

    @override
    def data_received(self, data: bytes) -> None:
        # The parser keeps a header until its end has come, however long that takes.
        self._unparsed += len(data)
        if self._lingers:
            if self._unparsed > _READ_AFTER_ANSWER:
                self.transport.close()
            return
        super().data_received(data)
        if self.transport.is_closing() or self._lingers:
            return
        if self._in_headers and self._unparsed > self.limit:
            self._end_with(self._too_large_problem())
        # Most requests arrive in one piece and need no timer. Whatever else arrived, uvicorn has put its own out.
        elif self._deadline is None and (not self._complete or self._idle):
            self._expect()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers, self._complete, self._unparsed = True, False, 0

    @override
    def on_headers_complete(self) -> None:
        if self._too_large():
            raise _TooLarge
        self._in_headers = False
        super().on_headers_complete()
        if not self.cycle.keep_alive:
            self.cycle.transport = _Closing(self)  # type: ignore[assignment] # as much of it as a cycle uses

    @override
    def on_message_complete(self) -> None:
        self._complete = True
        self.scope["state"][ARRIVED] = True
        self._expect_nothing()
        super().on_message_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        # Uvicorn's answer to whatever stopped the parser.
        detail = "This is no HTTP request that can be read, so the connection is closed. Nothing was stored."
        unread = Problem(HTTPStatus.BAD_REQUEST, HTTPStatus.BAD_REQUEST.phrase, detail)
        self._end_with(self._too_large_problem() if self._too_large() else unread)

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._lingers:
            self._unset_keepalive_if_required()  # it is closed for good, by our own timer
            if self._last_answer and self._idle and not self.transport.is_closing():
                self._say_last(self._last_answer)

    def close_after_answer(self) -> None:
        """Close when everything is read, for TCP takes back what was written when data is unread."""
        if self._complete and not self._lingers:
            self.transport.close()
        else:
            self._linger()
            self.transport.write_eof()

    @property
    def _idle(self) -> bool:
        """Whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _too_large(self) -> bool:
        headers = self.headers or ()
        return len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > self.limit

    def _too_large_problem(self) -> Problem:
        detail = f"Headers may have {self.limit} bytes in {MOST_HEADERS} lines at most. Nothing was stored."
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return Problem(status, status.phrase, detail)

    def _end_with(self, problem: Problem) -> None:
        """Answer what cannot be read, in its turn, and read nothing more."""
        body = bytes(problem.response().body)
        answer = (
            f"HTTP/1.1 {problem.status.value} {problem.status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        ).encode() + body
        if self._idle:
            self._linger()
            self._say_last(answer)
        elif self._complete or self._in_headers:
            self._linger()
            self._last_answer = answer  # after the answer to what came before
        elif self.cycle.response_started or self.pipeline:
            self.transport.close()
        else:
            # The body: whoever waits for it learns that it does not come.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._linger()
            self._say_last(answer)

    def _say_last(self, answer: bytes) -> None:
        self._last_answer = b""
        self.transport.write(answer)
        self.transport.write_eof()

    def _linger(self) -> None:
        """Read on for a while, and throw it away."""
        self._lingers, self._unparsed = True, 0
        self.flow.resume_reading()
        self._expect()

    def _expect(self) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(self.patience.total_seconds(), self.timeout_keep_alive_handler)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Closing:
    """A connection's transport for the last request on it."""

    def __init__(self, connection: LimitedConnection) -> None:
        self.write = connection.transport.write
        self.is_closing = connection.transport.is_closing
        self.close = connection.close_after_answer


def limited_connections(settings: ServiceSettings) -> type[asyncio.Protocol]:
    """Uvicorn's protocol with these limits."""

    class Connection(LimitedConnection):
        limit = settings.http_headers_limit
        patience = settings.http_receive_timeout

    return Connection
