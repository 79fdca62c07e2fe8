"""`POST /v1/partners/{source}`: what an ad platform, a form service or a phone system sends, as it sends it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field

from relance.clock import utc_now
from relance.http.problems import Problem, declared, unavailable
from relance_ingest import metrics
from relance_ingest.acceptance import KeyUsedTwice, NewLead
from relance_ingest.http.admission import admit
from relance_ingest.http.receipts import committed
from relance_ingest.partners import PARTNERS, meta
from relance_ingest.partners.new_leads import new_call, new_lead
from relance_ingest.partners.partner import (
    Ignored,
    LeadReference,
    PartnerCall,
    ReceivedRequest,
    Told,
    Unreadable,
    WrongSignature,
)
from relance_ingest.retrieval import ReferenceStore, Retrieval
from relance_ingest.sources import Credentials, Source, Sources
from relance_ingest.sources.partners import MetaPartner, PartnerSource

router = APIRouter(tags=["partners"])

PATH = "/v1/partners/"
BODY_LIMIT = 2 * 1024 * 1024
"""Bytes: HubSpot sends every value that a contact's properties ever had, and nothing again that was answered 413."""
_LARGE = 256 * 1024
"""Bytes of a body that needs one of `LARGE_AT_ONCE` places once it is there, before anybody knows who sent it."""
LARGE_AT_ONCE = 16

_RETRY_AFTER_IN = {"hubspot": timedelta(milliseconds=1)}
"""HubSpot's help ("Trigger webhooks in workflows") says so, whatever RFC 9110 does."""

_BODY = {
    "requestBody": {
        "required": True,
        "description": "What the partner sends; see docs/partners.md.",
        "content": {
            "application/json": {"schema": {}},
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "additionalProperties": {"type": "string"}}
            },
        },
    }
}


class PartnerReceipt(BaseModel):
    """What became of what the partner told."""

    lead_ids: list[UUID] = Field(description="Leads that are committed, now or when the same was sent before.")
    to_fetch: int = Field(description="Leads of which only the id was told; they are kept, and fetched next.")
    ignored: list[str] = Field(description="Why what was told is no lead, such as `test`.")


@router.post(
    PATH + "{source}",
    summary="Take a partner's webhook",
    response_model=PartnerReceipt,
    responses={
        200: {"content": {"text/xml": {"schema": {"type": "string"}}}, "description": "Kept (Twilio is told in XML)"},
        **declared(401, 404, 422, 429, 503),
    },
    openapi_extra=_BODY,
)
async def receive(request: Request, source: str) -> Response:
    """Verifies the signature, commits what it tells, then answers 200: whatever else makes partners send it again."""
    known, partner, credentials = _partner(request, source)
    async with AsyncExitStack() as place:
        received = ReceivedRequest(
            method=request.method,
            url=_public_url(request),
            headers=request.headers,
            body=await body_of(request, place),
            at=utc_now(),
        )
        receipt = await _taken(request, known, partner, credentials, received)
    if partner.kind == "twilio":
        # Twilio reads answers as instructions: this one says that there are none.
        return Response("<Response/>", media_type="text/xml")
    return JSONResponse(receipt.model_dump(mode="json"))


async def body_of(request: Request, place: AsyncExitStack) -> bytes:
    """The body; if it is large, it takes a place from when all of it is there until `place` is closed.

    Raises:
        Problem: 503 when no place is free: whoever sends leads sends this again.
    """
    body = await request.body()
    if len(body) > _LARGE:
        places: asyncio.Semaphore = request.app.state.large_bodies
        if places.locked():
            metrics.REFUSED.labels("overload").inc()
            raise unavailable("Too many large requests are coming in. Nothing was stored: send it again.")
        await place.enter_async_context(places)
    return body


async def _taken(
    request: Request, known: Source, partner: PartnerSource, credentials: Credentials, received: ReceivedRequest
) -> PartnerReceipt:
    try:
        PARTNERS[partner.kind].verify(received, credentials.secrets)
    except WrongSignature as error:
        raise _not_signed(known, error) from error
    # Only now: what others send uses up no partner's limits.
    await admit(request, known, known.spam.limits, unit=_RETRY_AFTER_IN.get(partner.kind, timedelta(seconds=1)))
    try:
        told = PARTNERS[partner.kind].read(received)
    except Unreadable as error:
        metrics.PARTNER_UNREADABLE.labels(known.id).inc()
        title = "Not what this partner sends"
        detail = f"Signed as it should be, but not to be read, so nothing was stored: {error}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, title, detail) from error
    return await _kept(request, known, told)


@router.get(
    PATH + "{source}",
    summary="Answer Meta's verification of this address",
    response_class=PlainTextResponse,
    responses=declared(401, 404, 422, 503),
)
async def confirm(
    request: Request,
    source: str,
    mode: Annotated[str, Query(alias="hub.mode", max_length=100)] = "",
    verify_token: Annotated[str, Query(alias="hub.verify_token", max_length=1000)] = "",
    challenge: Annotated[str, Query(alias="hub.challenge", max_length=1000)] = "",
) -> PlainTextResponse:
    """Says the challenge back to whoever knows the verify token."""
    known, partner, credentials = _partner(request, source)
    if not isinstance(partner, MetaPartner):
        raise _no_partner(source)
    try:
        meta.confirm(mode, verify_token, credentials.verify_tokens)
    except WrongSignature as error:
        raise _not_signed(known, error) from error
    return PlainTextResponse(challenge, headers={"X-Content-Type-Options": "nosniff"})


async def _kept(request: Request, source: Source, told: Sequence[Told]) -> PartnerReceipt:
    references = [each.id for each in told if isinstance(each, LeadReference)]
    if references:
        store: ReferenceStore = request.app.state.references
        await store.keep(source.id, references)
        retrieval: Retrieval = request.app.state.retrieval
        retrieval.nudge()
    leads = [
        new_call(source, each) if isinstance(each, PartnerCall) else new_lead(source, each)
        for each in told
        if not isinstance(each, LeadReference | Ignored)
    ]
    lead_ids = await asyncio.gather(*(_committed(request, lead) for lead in leads))
    ignored = [each.reason for each in told if isinstance(each, Ignored)] + ["known"] * lead_ids.count(None)
    for reason in ignored:
        metrics.PARTNER_IGNORED.labels(source.id, reason).inc()
    return PartnerReceipt(lead_ids=[each for each in lead_ids if each], to_fetch=len(references), ignored=ignored)


async def _committed(request: Request, lead: NewLead) -> UUID | None:
    """The lead's id; None when more had been told of it before."""
    try:
        return (await committed(request, lead)).lead_id
    except KeyUsedTwice:
        return None


def _partner(request: Request, name: str) -> tuple[Source, PartnerSource, Credentials]:
    sources: Sources = request.app.state.sources
    source = sources.named(name)
    if source is None or source.partner is None:
        raise _no_partner(name)
    return source, source.partner, request.app.state.credentials[name]


def _no_partner(name: str) -> Problem:
    metrics.REFUSED.labels("source").inc()
    detail = f"There is no source {name!r} of a partner that sends this. Nothing was stored."
    return Problem(HTTPStatus.NOT_FOUND, "Unknown source", detail)


def _not_signed(source: Source, error: WrongSignature) -> Problem:
    metrics.SIGNATURES_REFUSED.labels(source.id, error.reason).inc()
    said = {
        "missing": "It came without one.",
        "wrong": "It is not made with a secret of this source, or for another address or body.",
        "stale": "Its time is more than five minutes from now.",
    }[error.reason]
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "Wrong signature",
        f"{said} Nothing was stored.",
        headers={"WWW-Authenticate": "Signature"},
    )


def _public_url(request: Request) -> str:
    """The address as the partner was given it, which some of them sign."""
    base = request.app.state.public_url or f"{request.url.scheme}://{request.url.netloc}"
    path: str = request.scope["raw_path"].decode("ascii")
    query: str = request.scope["query_string"].decode("ascii")
    return f"{base}{path}?{query}" if query else base + path
