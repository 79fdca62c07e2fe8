"""The page that an answer link opens on a phone. Opening it changes nothing, its buttons do: link previews open links.

The token in the address is all the authority there is: no cookie, no session. So another site cannot press a button for
a rep: without the token it has no address to post to, and the page never tells its address to anybody (no referrer, no
outside content).
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from relance import faults
from relance.http.problems import RETRY_AFTER_SECONDS, declared_pages
from relance_router.answers.api import WORDS, OwnWords, Word
from relance_router.answers.assignments import SeenAssignment, UnknownAssignment
from relance_router.answers.links import AnswerLinks, LinkExpired, LinkRefused
from relance_router.answers.page_view import CHOICES, in_words, shown
from relance_router.answers.recording import AnswerRecorder
from relance_router.domain.answers import ENDED, Refused
from relance_router.domain.reasons import BadReason

_FOLDER = Path(__file__).parent / "pages"
_STYLE = (_FOLDER / "style.css").read_text()
_SCRIPT = (_FOLDER / "countdown.js").read_text()
_PAGES = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
_PAGES.globals |= {"style": Markup(_STYLE), "script": Markup(_SCRIPT)}  # noqa: S704 - files of ours
_PAGES.filters["in_words"] = in_words


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


_PROTECTED = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


def _words(value: object) -> object:
    # Browsers send lines ending in CRLF, and count them as one character when they limit a text.
    return (value.replace("\r\n", "\n").strip() or None) if isinstance(value, str) else value


class Press(BaseModel):
    """What a button sends."""

    model_config = ConfigDict(extra="forbid")

    answer: Word
    reason: Annotated[OwnWords | None, BeforeValidator(_words)] = None
    note: Annotated[OwnWords | None, BeforeValidator(_words)] = None


_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": Press.model_json_schema()}},
    }
}


class BadPress(ValueError):
    """Something is missing, or too long; the sentence is for the rep."""


def answer_page(recorder: AnswerRecorder, links: AnswerLinks) -> APIRouter:
    """`GET` and `POST /a/{token}`."""
    router = APIRouter(tags=["answers"], default_response_class=HTMLResponse)

    async def opened(token: str, preselected: str | None) -> Response:
        return _assignment(await recorder.look(links.read(token)), preselected)

    async def pressed(token: str, fields: Mapping[str, object]) -> Response:
        assignment = links.read(token)
        try:
            press = _press(fields)
            taken = await recorder.say(assignment, WORDS[press.answer], reason=press.reason, note=press.note)
        except (BadPress, BadReason) as error:
            alert = f"Nothing was changed. {error}"
            return _assignment(await recorder.look(assignment), None, alert, HTTPStatus.UNPROCESSABLE_ENTITY)
        if isinstance(taken.verdict, Refused):
            return _assignment(await recorder.look(assignment), None, taken.verdict.reason, HTTPStatus.CONFLICT)
        # Relative, so that it holds behind any proxy. The page is fetched anew, so that a reload presses nothing.
        return RedirectResponse(token, HTTPStatus.SEE_OTHER, _PROTECTED)

    @router.get(
        "/a/{token}",
        summary="The page of an answer link; `answer` shows that button alone",
        responses=declared_pages(404, 410, 503),
    )
    async def open_link(token: str, answer: Annotated[str | None, Query()] = None) -> Response:
        try:
            return await opened(token, answer)
        except Exception as error:
            return _failure(error)

    @router.post(
        "/a/{token}",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
        summary="The buttons of that page",
        responses=declared_pages(404, 409, 410, 422, 503),
        openapi_extra=_BODY,
    )
    async def press_button(token: str, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=len(Press.model_fields)) as fields:
            try:
                return await pressed(token, dict(fields))
            except Exception as error:
                return _failure(error)

    return router


def _press(fields: Mapping[str, object]) -> Press:
    try:
        press = Press.model_validate(fields)
    except ValidationError as error:
        raise BadPress(
            " ".join(f"{in_words(str(fault['loc'][0]))}: {fault['msg']}." for fault in error.errors())
        ) from error
    if CHOICES[press.answer].needs_reason and press.reason is None:
        raise BadPress("Choose a reason first.")
    return press


def _assignment(
    seen: SeenAssignment, preselected: str | None, alert: str | None = None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    if seen.state in ENDED:
        # Whoever does not own the lead any more does not see the person any more.
        ending = ENDED[seen.state]
        return _message(HTTPStatus.GONE, ending.title, ending.sentence, "There is nothing more for you to do.")
    return _page("answer.html", status, alert=alert, **shown(seen, preselected))


def _failure(error: Exception) -> Response:
    if isinstance(error, LinkExpired):
        return _message(HTTPStatus.GONE, "This link has expired", str(error))
    if isinstance(error, LinkRefused):
        return _message(HTTPStatus.NOT_FOUND, "This link does not work", str(error))
    if isinstance(error, UnknownAssignment):
        return _message(
            HTTPStatus.NOT_FOUND, "This lead is not known", "It is not kept here any more. Ask your manager about it."
        )
    if faults.is_transient(error):
        page = _message(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Just a moment",
            "Open the link again in a few seconds: it says where you stand.",
        )
        page.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return page
    raise error


def _message(status: HTTPStatus, title: str, *sentences: str) -> Response:
    return _page("message.html", status, title=title, sentences=sentences)


def _page(name: str, status: HTTPStatus, **values: object) -> Response:
    return HTMLResponse(_PAGES.get_template(name).render(values), status.value, _PROTECTED)
