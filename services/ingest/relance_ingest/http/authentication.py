"""Which source a request comes from: by its API key."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from typing_extensions import override

from relance.http.problems import Problem
from relance_ingest import metrics
from relance_ingest.http.admission import admit
from relance_ingest.sources import Source, Sources

_BEARER = HTTPBearer(auto_error=False, description="The source's API key")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The source's API key")


KEYED: dict[str, Any] = {"security": [{_BEARER.scheme_name: []}, {_HEADER.scheme_name: []}]}
"""`openapi_extra` of what asks for `authenticated`, which reads the headers itself: three dependencies less are a tenth
of the time that a lead takes."""


# Coroutines: a plain function would be handed to a thread, for every request.
async def presented_key(
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    header: Annotated[str | None, Security(_HEADER)],
) -> str | None:
    """The key that came in a header."""
    return bearer.credentials if bearer else header


async def authenticated(request: Request) -> Source:
    """The source that the route has found by the request's key, when it takes anything more just now."""
    source: Source = request.state.source
    await admit(request, source, source.spam.limits)
    return source


class KeyFirst(APIRoute):
    """Answers 401 before it waits for the body."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        by_fastapi = super().get_route_handler()

        async def answer(request: Request) -> Response:
            request.state.source = source_of(request)
            return await by_fastapi(request)

        return answer


def source_of(request: Request) -> Source:
    """The source whose key came with the request, as `presented_key` finds it.

    Raises:
        Problem: 401.
    """
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    key = credentials.strip() if scheme.lower() == "bearer" else None
    return source_of_key(request.app.state.sources, key or request.headers.get("x-api-key"))


def source_of_key(sources: Sources, key: str | None) -> Source:
    """The source that has this key.

    Raises:
        Problem: 401.
    """
    source = sources.of_key(key) if key else None
    if source is None:
        metrics.REFUSED.labels("key").inc()
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "Wrong or missing API key",
            "Send the source's key as `Authorization: Bearer …` or `X-API-Key`, or a form's as its field `_key`. "
            "Nothing was stored.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return source
