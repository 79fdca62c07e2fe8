"""Who may steer a service and read its figures: operators, by one bearer token that `relance` sends too."""

import hmac
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from relance.http.problems import Problem

OperatorOnly = Callable[..., None]
"""A FastAPI dependency: `APIRouter(dependencies=[Depends(operator_only)])`."""


def operator_only(token: str) -> OperatorOnly:
    """A dependency that lets a request through when it bears the operators' token.

    Raises (per request):
        Problem: 401.
    """
    bearer = HTTPBearer(auto_error=False, description="The operators' token, RELANCE_OPERATOR_TOKEN")

    def allowed(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        given = credentials.credentials if credentials else ""
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "Who are you?",
                "Send the operators' token as `Authorization: Bearer …`; it is RELANCE_OPERATOR_TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    return allowed
