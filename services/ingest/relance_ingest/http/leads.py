"""`POST /v1/leads`: a lead as JSON."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from relance_ingest.acceptance import NewLead
from relance_ingest.domain.submissions import FieldError, LeadSubmission, lead_contact
from relance_ingest.http.authentication import KEYED, authenticated
from relance_ingest.http.receipts import IDEMPOTENT, REFUSALS, Receipt, accept, idempotency_key, wrong_fields
from relance_ingest.sources import Source

router = APIRouter(tags=["leads"])


@router.post(
    "/v1/leads",
    status_code=HTTPStatus.ACCEPTED,
    summary="Submit a lead",
    responses=REFUSALS,
    openapi_extra=KEYED | IDEMPOTENT,
)
async def submit_lead(
    request: Request,
    source: Annotated[Source, Depends(authenticated)],
    lead: LeadSubmission,
) -> Receipt:
    """Commits the lead, then answers 202 with its id."""
    try:
        return await accept(request, new_lead(source, lead, idempotency_key(request)))
    except FieldError as error:
        raise wrong_fields(error) from error


def new_lead(source: Source, lead: LeadSubmission, key: str | None) -> NewLead:
    """The lead, normalised.

    Raises:
        FieldError: names each field that is wrong.
    """
    return NewLead(
        source=source.id,
        channel="form",
        campaign=lead.campaign or source.campaign,
        contact=lead_contact(lead, source.default_country),
        fields=lead.fields,
        idempotency_key=key,
    )
