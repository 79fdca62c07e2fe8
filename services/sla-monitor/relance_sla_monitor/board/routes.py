"""The board's addresses: the link that operators make, the page, and its stream."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Cookie, Header
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from relance.http.problems import RETRY_AFTER_SECONDS, declared, declared_pages
from relance_sla_monitor.board.access import Access, BoardLinkExpired, BoardLinks, BoardRefused
from relance_sla_monitor.board.event_stream import EventStream, event
from relance_sla_monitor.board.live import LiveBoard
from relance_sla_monitor.board.templates import PROTECTED, Pages, message
from relance_sla_monitor.board.view import milliseconds

STREAM = "/board/stream"
_COOKIE = "relance_board"
_RECONNECT_MILLISECONDS = 1000
Token = Annotated[str | None, Cookie(alias=_COOKIE)]


def board_routes(live: LiveBoard, links: BoardLinks | None, pages: Pages) -> APIRouter:
    """`/board`, `/board/stream` and `/board/open/{token}`; without `links` the board is off and says so."""
    router = APIRouter(tags=["board"], default_response_class=HTMLResponse)

    def access(token: str | None) -> Access:
        if links is None:
            raise BoardOff
        return links.read(token, datetime.now(UTC))

    @router.get(
        "/board/open/{token}",
        summary="What a board link opens: it is kept in a cookie, and the page shown",
        responses=declared_pages(401, 404),
    )
    async def open_link(token: str) -> Response:
        try:
            opened = access(token)
        except BoardRefused as error:
            return _refusal(error)
        # Not a redirect: a browser that comes from another site would follow it without the strict cookie.
        answer = message(HTTPStatus.OK, "Opening the board", "It opens by itself.", then="../../board")
        answer.set_cookie(
            _COOKIE, token, expires=opened.until, path=links.path if links else "/board",
            secure=bool(links and links.secure), httponly=True, samesite="strict",
        )  # fmt: skip
        return answer

    @router.get("/board", summary="The board", responses=declared_pages(401, 404, 503))
    async def show(relance_board: Token = None) -> Response:
        try:
            opened = access(relance_board)
        except BoardRefused as error:
            return _refusal(error)
        facts, now = await live.newest(), live.now
        if facts is None or now is None:
            answer = message(
                HTTPStatus.SERVICE_UNAVAILABLE, "Just a moment", "The database is away. This page tries again.", then=""
            )
            answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return answer
        return pages.whole(facts, opened.team, now)

    @router.get(
        STREAM,
        response_class=StreamingResponse,
        summary="Its changes, as Server-Sent Events: `board` (html) and `beat` (the time)",
        responses={
            200: {"content": {"text/event-stream": {}}, "description": "Until the link expires"},
            **declared_pages(401, 404),
            **declared(503),
        },
    )
    async def stream(relance_board: Token = None, last_event_id: Annotated[str | None, Header()] = None) -> Response:
        try:
            opened = access(relance_board)
        except BoardRefused as error:
            return _refusal(error)
        return EventStream(_events(live, opened, last_event_id), PROTECTED)

    return router


async def _events(live: LiveBoard, access: Access, seen: str | None) -> AsyncGenerator[str, None]:
    yield f"retry: {_RECONNECT_MILLISECONDS}\n\n"
    async with aclosing(live.updates(access.team, seen, lambda: access.until <= datetime.now(UTC))) as updates:
        async for shown in updates:
            if shown:
                yield event("board", json.dumps({"html": shown.html}), shown.id)
            if live.now and live.read_at:
                times = {"now": milliseconds(live.now), "read": milliseconds(live.read_at)}
                yield event("beat", json.dumps(times))


class BoardOff(BoardRefused):
    """No secret is set."""


def _refusal(error: BoardRefused) -> HTMLResponse:
    if isinstance(error, BoardOff):
        return message(HTTPStatus.NOT_FOUND, "The board is off", "Operators turn it on with RELANCE_BOARD_SECRET.")
    title = "This link has expired" if isinstance(error, BoardLinkExpired) else "This board needs a link"
    return message(HTTPStatus.UNAUTHORIZED, title, str(error))
