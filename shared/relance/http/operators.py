"""Who may steer a service: operators, by one bearer token that `relance` sends too. Who only reads may have another."""

import hmac
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from relance.http.problems import Problem

OperatorOnly = Callable[..., None]
"""A FastAPI dependency: `APIRouter(dependencies=[Depends(operator_only)])`."""


def operator_only(token: str, reports_token: str | None = None) -> OperatorOnly:
    """A dependency that lets a request through when it bears the operators' token, or that of reports if there is one.

    Raises (per request):
        Problem: 401.
    """
    tokens = [each.encode() for each in (token, reports_token) if each is not None]
    scheme, named = "operators", "the operators' token, RELANCE_OPERATOR_TOKEN"
    if reports_token is not None:
        scheme, named = "reports", f"{named}, or that of reports, RELANCE_REPORTS_TOKEN"
    bearer = HTTPBearer(scheme_name=scheme, auto_error=False, description=f"Send {named}.")

    def allowed(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        given = credentials.credentials if credentials else ""
        if not any(hmac.compare_digest(given.encode(), each) for each in tokens):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "Who are you?",
                f"Send `Authorization: Bearer …` with {named}.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    return allowed
