"""The answer API, for tools and programs."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from relance.events.response import Answer
from relance.http.problems import Problem, ProblemDocument
from relance.ids import AssignmentId
from relance.storable import STORABLE
from relance_router.answers.links import AnswerLinks, LinkRefused
from relance_router.answers.recording import AnswerRecorder, UnknownAssignment
from relance_router.domain.answers import Refused

ANSWERS: dict[str, Answer] = {"acknowledge": "acknowledged", "contacted": "contacted", "decline": "declined"}
"""What stands in the address, and the answer that it gives."""


class AnswerBody(BaseModel):
    """What may come with an answer."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, STORABLE] | None = Field(None, max_length=500, description="Why it was declined.")


class AnswerReceipt(BaseModel):
    """Where the assignment stands now."""

    assignment_id: UUID
    state: str


def answer_api(recorder: AnswerRecorder, links: AnswerLinks) -> APIRouter:
    """`POST /v1/assignments/{id}/acknowledge|contacted|decline`."""
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
            taken = await recorder.record(assignment, ANSWERS[answer], body.reason if body else None)
        except UnknownAssignment as error:
            raise Problem(HTTPStatus.NOT_FOUND, "No such assignment", str(error)) from error
        if isinstance(taken.verdict, Refused):
            raise Problem(HTTPStatus.CONFLICT, "Answer refused", taken.verdict.reason)
        return AnswerReceipt(assignment_id=assignment, state=taken.state.value)

    return router


def _unauthorised(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "Who are you?", detail, headers={"WWW-Authenticate": "Bearer"})
