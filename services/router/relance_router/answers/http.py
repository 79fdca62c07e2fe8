"""The answer API, and the page that an answer link opens. A GET changes nothing."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Form
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field

from relance.database import Database
from relance.events.response import Answer
from relance.http.problems import Problem, ProblemDocument
from relance.ids import AssignmentId
from relance_router.answers.links import AnswerLinks, LinkRefused
from relance_router.answers.recording import AnswerRecorder, AnswerTaken, UnknownAssignment
from relance_router.domain.answers import Refused
from relance_router.routing.leads import OwnedLead

ANSWERS: dict[str, Answer] = {"acknowledge": "acknowledged", "contacted": "contacted", "decline": "declined"}
"""What stands in the address, and the answer that it gives."""

_PROTECTED = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, undefined=StrictUndefined
)


class AnswerBody(BaseModel):
    """What may come with an answer."""

    model_config = ConfigDict(extra="forbid")

    reason: str | None = Field(None, max_length=500, description="Why it was declined.")


class AnswerReceipt(BaseModel):
    """Where the assignment stands now."""

    assignment_id: UUID
    state: str


def answers_router(
    database: Database, recorder: AnswerRecorder, links: AnswerLinks, on_committed: Callable[[], None]
) -> APIRouter:
    """The routes that take answers."""
    router = APIRouter(tags=["answers"])
    bearer = HTTPBearer(auto_error=False, description="The token of the notification")

    def authorised(
        assignment_id: UUID, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
    ) -> AssignmentId:
        if credentials is None:
            raise _unauthorised("Send the notification's token as `Authorization: Bearer …`.")
        try:
            granted = links.read(credentials.credentials)
        except LinkRefused as error:
            raise _unauthorised(str(error)) from error
        if granted != assignment_id:
            raise Problem(HTTPStatus.FORBIDDEN, "Not yours", "This token is for another assignment.")
        return granted

    async def record(assignment: AssignmentId, given: Answer, reason: str | None) -> AnswerTaken:
        async with database.transaction() as connection:
            taken = await recorder.record(connection, assignment, given, reason)
        on_committed()
        return taken

    @router.post(
        "/v1/assignments/{assignment_id}/{answer}",
        summary="Answer for an assignment",
        responses={status: {"model": ProblemDocument} for status in (401, 403, 404, 409, 422, 503)},
    )
    async def answer_by_api(
        assignment: Annotated[AssignmentId, Depends(authorised)],
        answer: Literal["acknowledge", "contacted", "decline"],
        body: Annotated[AnswerBody | None, Body()] = None,
    ) -> AnswerReceipt:
        try:
            taken = await record(assignment, ANSWERS[answer], body.reason if body else None)
        except UnknownAssignment as error:
            raise Problem(HTTPStatus.NOT_FOUND, "No such assignment", str(error)) from error
        if isinstance(taken.verdict, Refused):
            raise Problem(HTTPStatus.CONFLICT, "Answer refused", taken.verdict.reason)
        return AnswerReceipt(assignment_id=assignment, state=taken.state.value)

    @router.get("/a/{token}", summary="The page of an answer link", response_class=HTMLResponse)
    async def open_link(token: str) -> HTMLResponse:
        try:
            async with database.transaction() as connection:
                owned = await recorder.look(connection, links.read(token))
        except (LinkRefused, UnknownAssignment) as error:
            return _page("refused.html", HTTPStatus.NOT_FOUND, reason=str(error))
        return _answer_page(owned, None)

    @router.post("/a/{token}", summary="The buttons of that page", response_class=HTMLResponse)
    async def press_button(
        token: str,
        answer: Annotated[Literal["acknowledge", "contacted", "decline"], Form()],
        reason: Annotated[str | None, Form(max_length=500)] = None,
    ) -> HTMLResponse:
        try:
            taken = await record(links.read(token), ANSWERS[answer], reason or None)
            async with database.transaction() as connection:
                owned = await recorder.look(connection, links.read(token))
        except (LinkRefused, UnknownAssignment) as error:
            return _page("refused.html", HTTPStatus.NOT_FOUND, reason=str(error))
        return _answer_page(owned, taken)

    return router


def _answer_page(owned: OwnedLead, taken: AnswerTaken | None) -> HTMLResponse:
    refused = taken.verdict.reason if taken and isinstance(taken.verdict, Refused) else None
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    return _page("answer.html", status, lead=owned.lead, state=owned.state.value, refused=refused)


def _page(name: str, status: HTTPStatus, **values: object) -> HTMLResponse:
    return HTMLResponse(_PAGES.get_template(name).render(values), status.value, _PROTECTED)


def _unauthorised(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "Who are you?", detail, headers={"WWW-Authenticate": "Bearer"})
