"""The answer API, for tools and programs."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from relance.events.response import Answer, Disposition
from relance.http.problems import FieldFault, Problem, declared, invalid_fields
from relance.ids import AssignmentId
from relance.storable import STORABLE
from relance_router.answers.assignments import UnknownAssignment
from relance_router.answers.links import AnswerLinks, LinkRefused
from relance_router.answers.recording import AnswerRecorder
from relance_router.domain.answers import Refused
from relance_router.domain.reasons import REASONS, BadReason

WORDS: dict[str, Answer | Disposition] = {
    "acknowledge": "acknowledged",
    "contacted": "contacted",
    "decline": "declined",
    "accepted": "accepted",
    "rejected": "rejected",
    "won": "won",
    "lost": "lost",
}
"""What stands in the address, and what it says."""
Word = Literal["acknowledge", "contacted", "decline", "accepted", "rejected", "won", "lost"]
OwnWords = Annotated[str, Field(max_length=500), STORABLE]


class AnswerBody(BaseModel):
    """What may come with an answer."""

    model_config = ConfigDict(extra="forbid")

    reason: OwnWords | None = Field(
        None,
        description="; ".join(f"{said}: {', '.join(reasons)}" for said, reasons in REASONS.items())
        + ". `rejected` needs one. A decline takes other words too, as its note.",
    )
    note: OwnWords | None = Field(None, description="In the rep's own words.")

    def grounds(self, said: Answer | Disposition) -> tuple[str | None, str | None]:
        """The reason from the list, and the note."""
        if said == "declined" and self.note is None and self.reason not in REASONS[said]:
            return None, self.reason
        return self.reason, self.note


class AnswerReceipt(BaseModel):
    """Where the assignment stands now."""

    assignment_id: UUID
    state: str
    disposition: Disposition | None = None


def answer_api(recorder: AnswerRecorder, links: AnswerLinks) -> APIRouter:
    """`POST /v1/assignments/{id}/acknowledge|contacted|decline|accepted|rejected|won|lost`."""
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
        summary="Answer for an assignment, or say what its lead was worth",
        response_model_exclude_none=True,
        responses=declared(401, 403, 404, 409, 422, 503),
    )
    async def answer_by_api(
        assignment: Annotated[AssignmentId, Depends(authorised)],
        answer: Word,
        body: Annotated[AnswerBody | None, Body()] = None,
    ) -> AnswerReceipt:
        reason, note = (body or AnswerBody()).grounds(WORDS[answer])
        try:
            taken = await recorder.say(assignment, WORDS[answer], reason=reason, note=note)
        except UnknownAssignment as error:
            raise Problem(HTTPStatus.NOT_FOUND, "No such assignment", str(error)) from error
        except BadReason as error:
            raise invalid_fields([FieldFault("/reason", str(error))]) from error
        if isinstance(taken.verdict, Refused):
            raise Problem(HTTPStatus.CONFLICT, "Answer refused", taken.verdict.reason)
        return AnswerReceipt(assignment_id=assignment, state=taken.state.value, disposition=taken.disposition)

    return router


def _unauthorised(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "Who are you?", detail, headers={"WWW-Authenticate": "Bearer"})
