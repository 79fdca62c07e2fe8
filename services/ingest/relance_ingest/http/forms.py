"""`/v1/forms/{source}`: what web forms send, from pages of this and other sites, with and without script."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import Field, ValidationError

from relance.http.problems import Problem, invalid_fields
from relance_ingest import metrics
from relance_ingest.acceptance import NewLead, fingerprint
from relance_ingest.domain.field_mapping import MappedForm, mapped
from relance_ingest.domain.languages import Language
from relance_ingest.domain.origins import Page, onward, page_of
from relance_ingest.domain.submissions import MOST_FIELDS, FieldError, LeadSubmission
from relance_ingest.http import form_pages
from relance_ingest.http.admission import admit
from relance_ingest.http.authentication import presented_key, source_of_key
from relance_ingest.http.form_pages import wants_html, wants_json
from relance_ingest.http.form_reading import FORM_KINDS, JSON, field_fault, read_form
from relance_ingest.http.leads import new_lead
from relance_ingest.http.page_wording import WORDING, fault_text
from relance_ingest.http.receipts import IdempotencyHeader, Receipt, accept, checked_key
from relance_ingest.sources import Source, Sources
from relance_ingest.sources.spam import FORM_LIMITS
from relance_ingest.spam.evidence import taken_from
from relance_ingest.spam.screening import Screening

router = APIRouter(tags=["forms"])

PATH = "/v1/forms/{source}"
KEY_FIELD = "_key"
"""A form cannot send headers, so the source's key may come as this hidden field."""
IDEMPOTENCY_FIELD = "_idempotency_key"
REDIRECT_FIELD = "_redirect"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key",
    "Access-Control-Max-Age": "7200",  # the most that browsers honour
}
_PROBLEM = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}


def _refused(*statuses: int, page: bool = True) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: a problem, or a page for a browser."""
    content = {"application/problem+json": _PROBLEM} | ({"text/html": {"schema": {"type": "string"}}} if page else {})
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


_ANY_FIELDS = {"type": "object", "additionalProperties": {"type": "string"}}
_BODY = {"requestBody": {"required": True, "content": {kind: {"schema": _ANY_FIELDS} for kind in (*FORM_KINDS, JSON)}}}


class FormReceipt(Receipt):
    """The lead is committed and will be routed."""

    message: str = Field(description="Thanks, in the language of `Accept-Language` (English, German).")
    redirect: str | None = Field(description="Where the visitor goes on to, if anywhere.")


@router.post(
    PATH,
    status_code=HTTPStatus.ACCEPTED,
    summary="Submit a form",
    response_model=FormReceipt,
    responses={
        **_refused(400, 401, 403, 404, 413, 415, 422, 429, 503),
        303: {"description": "Accepted; the browser goes on to a page that says so"},
    },
    # Without a key, from a page whose origin the source lists.
    openapi_extra=_BODY | {"security": [{}]},
)
async def submit_form(
    request: Request,
    source: str,
    header_key: Annotated[str | None, Security(presented_key)],
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """Commits the lead, then sends a browser on, or answers 202 with the lead's id.

    Needs no key from a page whose origin the source lists. A browser without script is told in HTML what is wrong.
    """
    known = known_source(request.app.state.sources, source)
    page = _page(request, known)
    await admit(request, known, known.spam.limits or FORM_LIMITS)
    form = await read_form(request, known.forms.files)
    evidence = taken_from(form, known.spam)
    field_key = form.pop(KEY_FIELD, None)
    key = header_key or field_key
    if page is Page.HIDDEN and not key:
        raise _foreign(known, "null")
    if (key or page is Page.UNKNOWN) and source_of_key(request.app.state.sources, key) is not known:
        raise Problem(HTTPStatus.UNAUTHORIZED, "Wrong API key", f"This key is not that of source {source!r}.")
    redirect = _redirect(request, known, form.pop(REDIRECT_FIELD, None))
    form_key = checked_key(form.pop(IDEMPOTENCY_FIELD, None) or None, "body", IDEMPOTENCY_FIELD)
    language = form_pages.visitors_language(request.headers)
    lead = _lead(known, form, idempotency_key or form_key, language)
    screening: Screening = request.app.state.screening
    if lead.idempotency_key is None and evidence.token and screening.issued_at(known.id, evidence.token):
        lead = replace(lead, idempotency_key=_key_of_page_view(evidence.token, lead))
    receipt = await accept(request, lead, evidence)
    if redirect and not wants_json(request.headers):
        return RedirectResponse(redirect, HTTPStatus.SEE_OTHER)
    if wants_html(request.headers):
        # Relative, so that it holds behind any proxy; another page, so that a reload sends nothing again.
        return RedirectResponse(f"{source}/thanks", HTTPStatus.SEE_OTHER)
    told = FormReceipt(**receipt.model_dump(), message=WORDING[language]["thanks"], redirect=redirect)
    return JSONResponse(told.model_dump(mode="json"), HTTPStatus.ACCEPTED)


@router.options(
    PATH,
    status_code=HTTPStatus.NO_CONTENT,
    summary="What a browser asks before a page of another site sends the form by script",
    response_class=Response,
    responses=_refused(403, 404, page=False),
)
async def preflight(request: Request, source: str) -> Response:
    """Yes, to the origins that the source lists."""
    known = known_source(request.app.state.sources, source)
    if _page(request, known) is not Page.ALLOWED:
        raise _foreign(known, request.headers.get("origin"))
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)


@router.get(
    PATH + "/thanks",
    summary="Where a browser without script arrives when the source has no page of its own for it",
    response_class=HTMLResponse,
    responses=_refused(404),
)
async def thanks(request: Request, source: str) -> Response:
    """In the visitor's language."""
    known_source(request.app.state.sources, source)
    return form_pages.thanks(request.headers)


def known_source(sources: Sources, name: str) -> Source:
    """The source of that name.

    Raises:
        Problem: 404.
    """
    source = sources.named(name)
    if source is None:
        metrics.REFUSED.labels("source").inc()
        raise Problem(HTTPStatus.NOT_FOUND, "Unknown source", f"There is no source {name!r}. Nothing was stored.")
    return source


def body_limits(sources: Sources, otherwise: int) -> dict[str, int]:
    """For `guarded`: bytes of a body by the beginning of its path, longer beginnings first."""
    if all(source.forms.body_limit is None for source in sources):
        return {}
    by_length = sorted(sources, key=lambda source: len(source.id), reverse=True)
    return {PATH.format(source=source.id): source.forms.body_limit or otherwise for source in by_length}


def _page(request: Request, source: Source) -> Page:
    origin = request.headers.get("origin")
    page = page_of(origin, request.headers.get("host"), source.forms.origins)
    if page is Page.FOREIGN:
        raise _foreign(source, origin)
    return page


def _foreign(source: Source, origin: str | None) -> Problem:
    metrics.REFUSED.labels("origin").inc()
    return Problem(
        HTTPStatus.FORBIDDEN,
        "This page may not send this form",
        f"Nothing was stored. Source {source.id!r} takes forms of the origins in its `forms.origins`, and "
        f"{origin or 'no origin'} is not among them."
        + (" Give the page another Referrer-Policy, or the form the source's key." if origin == "null" else ""),
    )


def _redirect(request: Request, source: Source, wanted: str | None) -> str | None:
    if not wanted:
        return str(source.thanks_url) if source.thanks_url else None
    allowed = onward(wanted, request.headers.get("origin"), source.forms.origins, source.thanks_url)
    if allowed is None:
        why = "It leads to another site than those in `forms.origins` and `thanks_url`. Write a whole address of one."
        raise invalid_fields([field_fault(REDIRECT_FIELD, why)])
    return allowed


def _lead(source: Source, form: Mapping[str, str], idempotency_key: str | None, language: Language) -> NewLead:
    """The lead, normalised.

    Raises:
        Problem: 422 that names every bad field as the form does.
    """
    sorted_form = mapped(form, source.forms.mapping)
    count = len(sorted_form.fields)
    if count > MOST_FIELDS:
        most = f"A form may have {MOST_FIELDS} fields besides the lead's own and its campaign's; this one has {count}."
        raise _wrong({"": most}, sorted_form, "en")
    given = {**sorted_form.lead, "fields": {**sorted_form.fields, **sorted_form.campaign}}
    try:
        return new_lead(source, LeadSubmission.model_validate(given), idempotency_key)
    except FieldError as error:
        raise _wrong(error.faults, sorted_form, language) from error
    except ValidationError as error:
        raise _wrong({_field(fault["loc"]): fault["msg"] for fault in error.errors()}, sorted_form, language) from error


def _key_of_page_view(token: str, lead: NewLead) -> str:
    """A second click sends the same once more, from the same page; whoever goes back and mends it sends another."""
    return f"page:{hashlib.sha256(token.encode() + fingerprint(lead)).hexdigest()}"


def _field(location: tuple[int | str, ...]) -> str:
    return next((str(part) for part in location if part != "fields"), "")


def _wrong(faults: Mapping[str, str], form: MappedForm, language: Language) -> Problem:
    metrics.REFUSED.labels("fields").inc()
    return invalid_fields(
        [field_fault(form.called.get(name, name), fault_text(language, name, why)) for name, why in faults.items()]
    )
