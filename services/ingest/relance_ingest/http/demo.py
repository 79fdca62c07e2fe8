"""`GET /demo`: a form to try, with the snippet and, as `/demo?plain`, without."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from relance.http.problems import Problem, ProblemDocument
from relance_ingest.domain.campaign_fields import campaign_fields
from relance_ingest.domain.origins import origin_of
from relance_ingest.http.form_pages import PAGES, protected
from relance_ingest.sources import Sources

router = APIRouter(tags=["forms"])


@router.get(
    "/demo",
    summary="A form to try",
    response_class=HTMLResponse,
    responses={404: {"model": ProblemDocument, "description": "No source takes forms without a key"}},
)
async def demo(
    request: Request,
    plain: Annotated[str | None, Query(description="Given, whatever its value: without script.")] = None,
) -> Response:
    """Of the first source that lists `forms.origins`: its forms need no key."""
    sources: Sources = request.app.state.sources
    source = next((source for source in sources if source.forms.origins), None)
    if source is None:
        detail = "List `forms.origins` for a source in sources.yaml: the demo form is sent to the first that does."
        raise Problem(HTTPStatus.NOT_FOUND, "No source for the demo form", detail)
    # Chromium holds redirects to `form-action` too.
    onward = f" {origin_of(source.thanks_url)}" if source.thanks_url else ""
    content = PAGES.get_template("demo.html").render(
        language="en",
        source=source.id,
        script=plain is None,
        campaign=campaign_fields({"landing_page": str(request.url)}).items(),
    )
    return HTMLResponse(
        content, headers=protected(f"script-src 'self'; connect-src 'self'; form-action 'self'{onward}")
    )
