"""`GET /snippet.js`: the script that a page of any site includes once."""

from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Header, Response

from relance_ingest.http.form_pages import FOLDER

router = APIRouter(tags=["forms"])

_SCRIPT = (FOLDER / "snippet.js").read_bytes()
_HEADERS = {
    "ETag": f'"{sha256(_SCRIPT).hexdigest()[:32]}"',
    # Long enough to cost nothing, short enough that a mended script is everywhere within the hour.
    "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_KIND = "text/javascript"


@router.head("/snippet.js", include_in_schema=False)
@router.get(
    "/snippet.js",
    summary="The script that makes a form send leads",
    response_class=Response,
    responses={200: {"content": {_KIND: {"schema": {"type": "string"}}}}, 304: {"description": "Not changed"}},
)
async def snippet(if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """For every `<form data-relance="source">` of the page."""
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if known & {_HEADERS["ETag"], "*"}:
        return Response(status_code=304, headers=_HEADERS)
    return Response(_SCRIPT, headers=_HEADERS, media_type=_KIND)
