"""What a sender is told: 202 with the lead's id, once the lead is committed."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from relance.http.problems import FieldFault, Problem, declared, invalid_fields, unavailable
from relance.idempotency import IDEMPOTENCY_HEADER as _HEADER
from relance.idempotency import IdempotencyKey
from relance_ingest import metrics
from relance_ingest.acceptance import Acceptance, Accepted, KeyUsedTwice, NewLead, Overloaded
from relance_ingest.domain.submissions import FieldError
from relance_ingest.sources import Source
from relance_ingest.spam.evidence import NO_EVIDENCE, Evidence
from relance_ingest.spam.screening import Screening

_MEANING = "The same key sent again gives the same lead, not another."
_KEY: TypeAdapter[str] = TypeAdapter(IdempotencyKey)

IdempotencyHeader = Annotated[IdempotencyKey | None, Header(alias=_HEADER, description=_MEANING)]

IDEMPOTENT: dict[str, Any] = {
    "parameters": [
        {"name": _HEADER, "in": "header", "required": False, "description": _MEANING, "schema": _KEY.json_schema()}
    ]
}
"""`openapi_extra` of what reads the header with `idempotency_key`."""

REFUSALS = declared(401, 422, 429, 503)


class Receipt(BaseModel):
    """The lead is committed and will be routed."""

    lead_id: UUID
    repeated: bool = Field(description="True when this submission had been accepted before.")


def idempotency_key(request: Request) -> str | None:
    """As the parameter `IdempotencyHeader` would have it, which alone takes a tenth of a request's processor time.

    Raises:
        RequestValidationError: the header is no key.
    """
    return checked_key(request.headers.get(_HEADER), "header", _HEADER)


def checked_key(given: str | None, *place: str) -> str | None:
    """An idempotency key that stood at this place in the request.

    Raises:
        RequestValidationError: it is none.
    """
    try:
        return None if given is None else _KEY.validate_python(given)
    except ValidationError as error:
        raise RequestValidationError([{**fault, "loc": place} for fault in error.errors()]) from error


async def accept(request: Request, lead: NewLead, evidence: Evidence = NO_EVIDENCE) -> Receipt:
    """Commit, then answer: the same whether it is suspected or not, so that spammers learn nothing.

    Raises:
        Problem: 422 when the idempotency key belongs to another submission; 503 when too much is waiting.
    """
    try:
        accepted = await committed(request, lead, evidence)
    except KeyUsedTwice as error:
        metrics.REFUSED.labels("idempotency_key").inc()
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "Idempotency key used twice",
            "This key came with another submission before. Nothing was stored: use a new key for a new submission.",
        ) from error
    return Receipt(lead_id=accepted.lead_id, repeated=accepted.repeated)


async def committed(request: Request, lead: NewLead, evidence: Evidence = NO_EVIDENCE) -> Accepted:
    """Look at it, then commit it, quarantined if it is suspected.

    Raises:
        KeyUsedTwice: the idempotency key belongs to another submission.
        Problem: 503 when too much is waiting.
    """
    acceptance: Acceptance = request.app.state.acceptance
    screening: Screening = request.app.state.screening
    source: Source = request.app.state.sources[lead.source]
    lead = await screening.looked_at(source.spam, lead, evidence)
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
