"""Errors as RFC 9457 problem details: what is wrong, where, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from relance import faults
from relance.error_text import error_text
from relance.logs import get_logger

log = get_logger(__name__)

RETRY_AFTER_SECONDS = 5
_KIND = "application/problem+json"


@dataclass(frozen=True)
class FieldFault:
    """One bad field: `pointer` is a JSON Pointer into the body, or `header/Name`, `path/name`, `query/name`.

    `line` is where in a field that holds a document, 1 for the first.
    """

    pointer: str
    detail: str
    line: int | None = None

    def document(self) -> dict[str, str | int]:
        """As it stands in the problem."""
        return {"pointer": self.pointer, "detail": self.detail} | ({} if self.line is None else {"line": self.line})


@dataclass
class Problem(Exception):
    """Raise it anywhere under a request; the caller gets it as problem+json."""

    status: HTTPStatus
    title: str
    detail: str
    errors: Sequence[FieldFault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> JSONResponse:
        """The answer as RFC 9457 writes it."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [fault.document() for fault in self.errors]
        return JSONResponse(body, self.status.value, dict(self.headers), _KIND)


class ProblemDocument(BaseModel):
    """The shape of a problem, for OpenAPI."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str | int]] | None = None


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that answers these with problems."""
    return {status: {"model": ProblemDocument, "description": HTTPStatus(status).phrase} for status in statuses}


def declared_pages(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that answers these with pages for people."""
    content = {"text/html": {"schema": {"type": "string"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def invalid_fields(errors: Sequence[FieldFault]) -> Problem:
    """422 that names every bad field."""
    names = ", ".join(fault.pointer for fault in errors)
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Invalid fields",
        f"Nothing was stored. Mend and send again: {names}.",
        errors,
    )


def unavailable(detail: str) -> Problem:
    """503 with Retry-After."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "Try again", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
    )


def while_reading(problem: Problem) -> HTTPException:
    """A problem of a body, for whoever reads it: FastAPI lets nothing through there but Starlette's own error."""
    return HTTPException(problem.status.value, problem.detail, dict(problem.headers))


def install(app: FastAPI) -> None:
    """Answer every error of this application with a problem, and say so in its OpenAPI document."""
    without_problems = app.openapi
    app.openapi = lambda: app.openapi_schema or _with_problems(without_problems())  # type: ignore[method-assign]

    @app.exception_handler(Problem)
    async def _problem(_request: Request, problem: Problem) -> JSONResponse:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        faults_found = [FieldFault(_pointer(fault["loc"]), fault["msg"]) for fault in error.errors()]
        if any(fault["type"] == "json_invalid" for fault in error.errors()):
            detail = f"The body is not valid JSON: {error.errors()[0]['ctx']['error']}. Nothing was stored."
            return Problem(HTTPStatus.BAD_REQUEST, "Malformed JSON", detail).response()
        return invalid_fields(faults_found).response()

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        detail = (
            error.detail
            if error.detail != status.phrase
            else f"{request.method} {request.url.path}: {status.description}"
        )
        headers = dict(error.headers or {})
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _methods(request)
        return Problem(status, status.phrase, detail, headers=headers).response()

    async def _failed(_request: Request, error: Exception) -> JSONResponse:
        if faults.is_transient(error):
            log.warning("dependency away", error=error_text(error))
            why = "did not get to it in time" if faults.is_late(error) else "cannot be reached just now"
            return unavailable(f"The database {why}, so this was not accepted: send it again.").response()
        log.error("request failed", exc_info=error)
        detail = "This is our fault, and it is in our log. Nothing was stored."
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error", detail).response()

    # Named kinds are answered quietly; for the rest (`Exception`) Starlette answers, outside of all middleware, and
    # then raises again.
    drivers = (
        asyncpg.exceptions.PostgresError, asyncpg.exceptions.InterfaceError, asyncpg.exceptions.InternalClientError,
    )  # fmt: skip
    for kind in (SQLAlchemyError, OSError, TimeoutError, *drivers, faults.TryLater, Exception):
        app.add_exception_handler(kind, _failed)


def _pointer(location: Sequence[int | str]) -> str:
    where, *rest = location
    if where == "body":
        return "/" + "/".join(str(part) for part in rest)
    return "/".join(str(part) for part in location)


def _methods(request: Request) -> str:
    """Starlette names those of the first route of a path, and another route may take more."""
    path: str = request.scope["path"]
    routes = [each for each in iter_route_contexts(request.app.routes) if each.path_regex.match(path)]
    return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI declares a problem under the media type of the answer that is none, and its own kind of 422.

    It does not say what becomes of a body that cannot be read, or is too large, nor that anything may be too much.
    """
    for operations in document.get("paths", {}).values():
        for operation in operations.values():
            responses = operation.get("responses", {})
            if "operations" not in operation.get("tags", ()):
                responses.setdefault(str(_BUSY.value), {"description": _BUSY.phrase, "content": _CONTENT})
            if "requestBody" in operation:
                responses.update(
                    {str(status): said for status, said in _UNREAD.items() if str(status) not in responses}
                )
            if _is("HTTPValidationError", responses.get("422", {})):
                if _takes_anything(operation):
                    del responses["422"]
                else:
                    responses["422"] = {"description": HTTPStatus.UNPROCESSABLE_ENTITY.phrase, "content": _CONTENT}
            for response in responses.values():
                if _is("ProblemDocument", response):
                    response["content"] = _CONTENT
    schemas = document.get("components", {}).get("schemas", {})
    if "HTTPValidationError" in schemas:
        del schemas["HTTPValidationError"], schemas["ValidationError"]
        schemas.setdefault("ProblemDocument", ProblemDocument.model_json_schema())
    return document


_CONTENT: dict[str, Any] = {_KIND: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}


_BUSY = HTTPStatus.SERVICE_UNAVAILABLE
_UNREAD = {
    status: {"description": status.phrase, "content": _CONTENT}
    for status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
}


def _is(name: str, response: Mapping[str, Any]) -> bool:
    """Whether nothing but this schema is declared."""
    schemas = [kind.get("schema") for kind in response.get("content", {}).values()]
    return schemas == [{"$ref": f"#/components/schemas/{name}"}]


def _takes_anything(operation: Mapping[str, Any]) -> bool:
    schemas = [parameter["schema"] for parameter in operation.get("parameters", ())]
    kinds = [kind for schema in schemas for kind in schema.get("anyOf", [schema])]
    return "requestBody" not in operation and all(
        kind.get("type") in {"string", "null"} and kind.keys() <= {"type", "title"} for kind in kinds
    )
