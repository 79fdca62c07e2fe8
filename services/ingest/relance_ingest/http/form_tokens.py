"""`GET /v1/forms/{source}/token`: what a form fetches when it is loaded, and sends as `_token`."""

import secrets
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from relance.clock import utc_now
from relance.http.problems import Problem, declared
from relance_ingest.http.forms import known_source
from relance_ingest.spam.form_tokens import FormTokens

router = APIRouter(tags=["forms"])


class FormToken(BaseModel):
    """Shows when the form was loaded, and nothing else."""

    token: str = Field(description="Send it as the field `_token`.")
    valid_from: AwareDatetime = Field(description="Who sends it sooner is suspected of being no person.")
    valid_until: AwareDatetime
    honeypot: str | None = Field(description="A field to add to the form, unseen by people, and to leave empty.")


@router.get(
    "/v1/forms/{source}/token",
    summary="A token for a form that was just loaded",
    responses=declared(404, 503),
)
async def form_token(request: Request, response: Response, source: str) -> FormToken:
    """Of one form, for one submission. Not to be cached. No limit counts it: whoever looks at a page loads a form."""
    known = known_source(request.app.state.sources, source)
    tokens: FormTokens | None = request.app.state.screening.tokens
    if tokens is None:
        raise Problem(HTTPStatus.NOT_FOUND, "No tokens here", "Forms need none: RELANCE_FORM_TOKEN_SECRET is not set.")
    now = utc_now()
    response.headers["Cache-Control"] = "no-store"
    kept = known.spam.form_token
    return FormToken(
        token=tokens.issue(known.id, now, secrets.token_urlsafe(9)),
        valid_from=now + kept.min_fill,
        valid_until=now + kept.max_age,
        honeypot=known.spam.honeypot,
    )
