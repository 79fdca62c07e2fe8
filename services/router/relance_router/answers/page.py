"""The page that an answer link opens on a phone. Opening it changes nothing; its buttons do."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from relance.storable import STORABLE
from relance_router.answers.api import ANSWERS
from relance_router.answers.links import AnswerLinks, LinkRefused
from relance_router.answers.recording import AnswerRecorder, UnknownAssignment
from relance_router.domain.answers import Refused

_PROTECTED = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, undefined=StrictUndefined
)


def answer_page(recorder: AnswerRecorder, links: AnswerLinks) -> APIRouter:
    """`GET` and `POST /a/{token}`."""
    router = APIRouter(tags=["answers"], default_response_class=HTMLResponse)

    @router.get("/a/{token}", summary="The page of an answer link")
    async def open_link(token: str) -> HTMLResponse:
        try:
            owned = await recorder.look(links.read(token))
        except (LinkRefused, UnknownAssignment) as error:
            return _page("refused.html", HTTPStatus.NOT_FOUND, reason=str(error))
        return _page("answer.html", HTTPStatus.OK, lead=owned.lead, state=owned.state.value, refused=None)

    @router.post("/a/{token}", summary="The buttons of that page")
    async def press_button(
        token: str,
        answer: Annotated[Literal["acknowledge", "contacted", "decline"], Form()],
        reason: Annotated[Annotated[str, STORABLE] | None, Form(max_length=500)] = None,
    ) -> HTMLResponse:
        try:
            taken = await recorder.record(links.read(token), ANSWERS[answer], reason or None)
        except (LinkRefused, UnknownAssignment) as error:
            return _page("refused.html", HTTPStatus.NOT_FOUND, reason=str(error))
        refused = taken.verdict.reason if isinstance(taken.verdict, Refused) else None
        status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
        return _page("answer.html", status, lead=taken.lead, state=taken.state.value, refused=refused)

    return router


def _page(name: str, status: HTTPStatus, **values: object) -> HTMLResponse:
    return HTMLResponse(_PAGES.get_template(name).render(values), status.value, _PROTECTED)
