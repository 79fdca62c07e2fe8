"""`POST /v1/forms/{source}`: what a plain HTML form sends."""

import json
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from relance.http.problems import FieldFault, Problem, invalid_fields
from relance_ingest import metrics
from relance_ingest.domain.submissions import MOST_FIELDS, IdempotencyKey, LeadSubmission, lead_from_form
from relance_ingest.http.admission import admit
from relance_ingest.http.authentication import presented_key, source_of_key
from relance_ingest.http.leads import new_lead
from relance_ingest.http.receipts import REFUSALS, IdempotencyHeader, Receipt, accept
from relance_ingest.sources import Source, Sources
from relance_ingest.sources.spam import FORM_LIMITS
from relance_ingest.spam.evidence import taken_from

router = APIRouter(tags=["forms"])

KEY_FIELD = "_key"
"""A form cannot send headers, so the source's key may come as this hidden field."""
IDEMPOTENCY_FIELD = "_idempotency_key"
_IDEMPOTENCY_KEY: TypeAdapter[str] = TypeAdapter(IdempotencyKey)

_ANY_FIELDS = {"type": "object", "additionalProperties": {"type": "string"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": _ANY_FIELDS}
            for kind in ("application/x-www-form-urlencoded", "multipart/form-data", "application/json")
        },
    }
}


@router.post(
    "/v1/forms/{source}",
    status_code=HTTPStatus.ACCEPTED,
    summary="Submit a form",
    response_model=Receipt,
    responses={
        **REFUSALS,
        303: {"description": "Accepted; the browser goes on to the source's thanks page"},
        404: REFUSALS[422],
        415: REFUSALS[422],
    },
    openapi_extra=_BODY,
)
async def submit_form(
    request: Request,
    source: str,
    header_key: Annotated[str | None, Security(presented_key)],
    idempotency_key: IdempotencyHeader = None,
) -> Response:
    """Commits the lead, then sends a browser to the source's thanks page, or answers 202 with the lead's id."""
    known = known_source(request.app.state.sources, source)
    await admit(request, known, known.spam.limits or FORM_LIMITS)
    form = await _read(request)
    evidence = taken_from(form, known.spam)
    key = form.pop(KEY_FIELD, None)
    if source_of_key(request.app.state.sources, header_key or key) is not known:
        raise Problem(HTTPStatus.UNAUTHORIZED, "Wrong API key", f"This key is not that of source {source!r}.")
    field_key = form.pop(IDEMPOTENCY_FIELD, None)
    try:
        form_key = _IDEMPOTENCY_KEY.validate_python(field_key) if field_key else None
    except ValidationError as error:
        raise _wrong_body(error, IDEMPOTENCY_FIELD) from error
    try:
        lead = LeadSubmission.model_validate(lead_from_form(form))
    except ValidationError as error:
        raise _wrong_body(error) from error
    receipt = await accept(request, new_lead(known, lead, idempotency_key or form_key), evidence)
    if known.thanks_url and not _wants_json(request):
        return RedirectResponse(str(known.thanks_url), HTTPStatus.SEE_OTHER)
    return JSONResponse(receipt.model_dump(mode="json"), HTTPStatus.ACCEPTED)


def _wrong_body(error: ValidationError, *within: str) -> RequestValidationError:
    """As FastAPI would raise it for a body that it reads itself."""
    return RequestValidationError([{**fault, "loc": ("body", *within, *fault["loc"])} for fault in error.errors()])


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


async def _read(request: Request) -> dict[str, str]:
    """The form's fields, as text; a field that stands several times (checkboxes) is joined with commas."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _json_fields(await request.body())
    if kind not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        metrics.REFUSED.labels("content_type").inc()
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Unsupported content type",
            f"Send a form (urlencoded or multipart) or application/json, not {kind or 'nothing'}.",
        )
    form = await request.form(max_files=0, max_fields=2 * MOST_FIELDS)
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            raise invalid_fields([FieldFault(f"/{name}", "Files are not taken.")])
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        given = json.loads(body)
    except ValueError as error:
        detail = f"The body is not valid JSON: {error}. Nothing was stored."
        raise Problem(HTTPStatus.BAD_REQUEST, "Malformed JSON", detail) from error
    if not isinstance(given, dict):
        raise invalid_fields([FieldFault("/", "Send an object of fields.")])
    wrong = [name for name, value in given.items() if not isinstance(value, str | int | float | bool | None)]
    if wrong:
        raise invalid_fields([FieldFault(f"/{name}", "A form field is text.") for name in wrong])
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in given.items()
        if value is not None
    }


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
