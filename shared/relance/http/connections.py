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

from relance.http.problems import Problem
from relance.settings import ServiceSettings

MOST_HEADERS = 100
_READ_AFTER_REFUSAL = 1024 * 1024


class _TooLarge(Exception):
    """The headers are."""


class LimitedConnection(HttpToolsProtocol):
    """Answers 431 to headers above `limit` (bytes), and closes when a request has not arrived within `patience`."""

    limit: int
    patience: timedelta
    _deadline: asyncio.TimerHandle | None = None
    _in_headers = True
    _complete = True
    _refused = False
    _unparsed = 0

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        self._expect()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        # The parser keeps a header until its end has come, however long that takes.
        self._unparsed += len(data)
        if self._refused:
            if self._unparsed > _READ_AFTER_REFUSAL:
                self.transport.close()
            return
        super().data_received(data)
        if self.transport.is_closing() or self._refused:
            return
        if self._in_headers and self._unparsed > self.limit:
            self._refuse()
        # Most requests arrive in one piece and need no timer. Whatever else arrived, uvicorn has put its own out.
        elif self._deadline is None and (not self._complete or self._idle):
            self._expect()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers, self._complete, self._unparsed = True, False, 0

    @override
    def on_headers_complete(self) -> None:
        self._in_headers = False
        if self._too_large():
            raise _TooLarge
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._complete = True
        self._expect_nothing()
        super().on_message_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        # Uvicorn's answer to whatever stopped the parser.
        if self._too_large():
            self._refuse()
        else:
            super().send_400_response(msg)

    @property
    def _idle(self) -> bool:
        """Whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _too_large(self) -> bool:
        headers = self.headers or ()
        return len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > self.limit

    def _refuse(self) -> None:
        detail = f"Headers may have {self.limit} bytes in {MOST_HEADERS} lines at most. Nothing was stored."
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        body = bytes(Problem(status, status.phrase, detail).response().body)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        if self._idle:
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Read on for a while, for TCP takes back what was written when a socket is closed with data unread."""
        self._refused = True
        self.transport.write_eof()
        self._expect()

    def _expect(self) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(self.patience.total_seconds(), self.timeout_keep_alive_handler)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def limited_connections(settings: ServiceSettings) -> type[asyncio.Protocol]:
    """Uvicorn's protocol with these limits."""

    class Connection(LimitedConnection):
        limit = settings.http_headers_limit
        patience = settings.http_receive_timeout

    return Connection
