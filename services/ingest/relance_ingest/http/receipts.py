"""What a sender is told: 202 with the lead's id, once the lead is committed."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Header, Request
from pydantic import BaseModel, Field

from relance.http.problems import FieldFault, Problem, ProblemDocument, invalid_fields, unavailable
from relance_ingest import metrics
from relance_ingest.acceptance import Acceptance, Accepted, KeyUsedTwice, NewLead, Overloaded
from relance_ingest.domain.submissions import FieldError, IdempotencyKey

IdempotencyHeader = Annotated[
    IdempotencyKey | None,
    Header(alias="Idempotency-Key", description="The same key sent again gives the same lead, not another."),
]

REFUSALS: dict[int | str, dict[str, object]] = {
    status: {"model": ProblemDocument, "description": HTTPStatus(status).phrase} for status in (400, 401, 413, 422, 503)
}


class Receipt(BaseModel):
    """The lead is committed and will be routed."""

    lead_id: UUID
    repeated: bool = Field(description="True when this submission had been accepted before.")


async def accept(request: Request, lead: NewLead) -> Receipt:
    """Commit, then answer.

    Raises:
        Problem: 422 when the idempotency key belongs to another submission; 503 when too much is waiting.
    """
    try:
        accepted = await committed(request, lead)
    except KeyUsedTwice as error:
        metrics.REFUSED.labels("idempotency_key").inc()
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "Idempotency key used twice",
            "This key came with another submission before. Nothing was stored: use a new key for a new submission.",
        ) from error
    return Receipt(lead_id=accepted.lead_id, repeated=accepted.repeated)


async def committed(request: Request, lead: NewLead) -> Accepted:
    """Commit.

    Raises:
        KeyUsedTwice: the idempotency key belongs to another submission.
        Problem: 503 when too much is waiting.
    """
    acceptance: Acceptance = request.app.state.acceptance
    try:
        return await acceptance.accept(lead)
    except Overloaded as error:
        metrics.REFUSED.labels("overload").inc()
        raise unavailable(
            "More leads are coming in than can be stored just now. Nothing was stored: send it again."
        ) from error


def wrong_fields(error: FieldError) -> Problem:
    """422 that names every bad field."""
    metrics.REFUSED.labels("fields").inc()
    return invalid_fields([FieldFault(f"/{name}", reason) for name, reason in error.faults.items()])
