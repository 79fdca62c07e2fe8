"""Spend over HTTP: operators say what was spent, see what was said, and take it back."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from relance.database import Database
from relance.http.operators import OperatorOnly
from relance.http.problems import Problem, declared, invalid_fields
from relance.storable import STORABLE
from relance_sla_monitor.scorecards.spend import (
    InvalidSpend,
    Spend,
    StoredSpend,
    list_spend,
    put_spend,
    read_spend,
    remove_spend,
)

_LARGEST = 2**63 - 1


class SpendPage(BaseModel):
    """What was spent."""

    spend: list[StoredSpend]
    next: str | None = Field(description="Where the next page is; none on the last.")


class Stored(BaseModel):
    """What was stored."""

    stored: int


def spend_api(database: Database, operators: OperatorOnly, readers: OperatorOnly) -> APIRouter:
    """`/v1/spend`, which operators say and readers see."""
    router = APIRouter(tags=["scorecards"], responses=declared(401, 422, 503))
    by_operators, by_readers = [Depends(operators)], [Depends(readers)]

    @router.post("/v1/spend", dependencies=by_operators, summary="Say what was spent on a source or campaign")
    async def spend(body: Spend) -> Stored:
        await put_spend(database, [body])
        return Stored(stored=1)

    @router.post(
        "/v1/spend/import",
        dependencies=by_operators,
        summary="The same for many, as CSV with a header",
        openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    async def import_spend(request: Request) -> Stored:
        try:
            spends = read_spend(await request.body())
        except InvalidSpend as error:
            raise invalid_fields(error.faults) from error
        await put_spend(database, spends)
        return Stored(stored=len(spends))

    @router.get(
        "/v1/spend",
        dependencies=by_readers,
        summary="What was said to be spent, in the order in which it was said first",
    )
    async def listed_spend(
        source: Annotated[Annotated[str, STORABLE] | None, Query(max_length=200)] = None,
        after: Annotated[int, Query(ge=0, le=_LARGEST, description="As `next` has it.")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> SpendPage:
        found = await list_spend(database, source, after=after, limit=limit + 1)
        given = {"source": source} if source is not None else {}
        following = {**given, "after": found[limit - 1].id, "limit": limit} if len(found) > limit else None
        return SpendPage(spend=found[:limit], next=following and f"/v1/spend?{urlencode(following)}")

    @router.delete(
        "/v1/spend/{spend_id:int}",
        dependencies=by_operators,
        status_code=HTTPStatus.NO_CONTENT,
        summary="Take back what was said to be spent",
        responses=declared(404),
    )
    async def removed_spend(spend_id: Annotated[int, Path(ge=1, le=_LARGEST)]) -> None:
        if not await remove_spend(database, spend_id):
            raise Problem(
                HTTPStatus.NOT_FOUND, "No such spend", f"There is no spend {spend_id}. GET /v1/spend lists them."
            )

    return router
