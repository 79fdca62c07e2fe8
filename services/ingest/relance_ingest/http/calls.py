"""`POST /v1/calls`: an inbound call as JSON."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from relance_ingest.acceptance import NewLead
from relance_ingest.domain.submissions import CallSubmission, FieldError, call_contact
from relance_ingest.domain.suspicion import Suspicion
from relance_ingest.http.authentication import KEYED, KeyFirst, authenticated
from relance_ingest.http.receipts import REFUSALS, Receipt, accept, wrong_fields
from relance_ingest.sources import Source

router = APIRouter(tags=["calls"], route_class=KeyFirst)


@router.post(
    "/v1/calls", status_code=HTTPStatus.ACCEPTED, summary="Submit a call", responses=REFUSALS, openapi_extra=KEYED
)
async def submit_call(
    request: Request,
    source: Annotated[Source, Depends(authenticated)],
    call: CallSubmission,
) -> Receipt:
    """Commits the call as a lead, then answers 202 with its id.

    The call's own id is its idempotency key, and there is no other: what is sent again with other details is known of
    the call from then on, and what it leaves out stays known. Send a call once it is known how it ended (or that it is
    missed), and again when more is.
    """
    try:
        contact, details = call_contact(call, source.default_country)
    except FieldError as error:
        raise wrong_fields(error) from error
    lead = NewLead(
        source=source.id,
        channel="call",
        campaign=call.campaign or source.campaign,
        contact=contact,
        fields=call.fields,
        call=details,
        idempotency_key=f"call:{call.call_id}",
        suspicions=() if contact.phone else (Suspicion.UNREACHABLE,),
        revisable=True,
    )
    return await accept(request, lead)
