"""What operators ask when a person wants to know what is held of them."""

from fastapi import APIRouter, Depends

from relance.database import Database
from relance.http.exports import ExportOrder
from relance.http.operators import OperatorOnly
from relance.http.problems import declared
from relance_router.privacy.documents import Export
from relance_router.privacy.exporting import export


def privacy_api(database: Database, operator_only: OperatorOnly) -> APIRouter:
    """`POST /v1/exports`."""
    router = APIRouter(tags=["privacy"], dependencies=[Depends(operator_only)], responses=declared(401, 422, 503))

    @router.post("/v1/exports", summary="All that the router holds of some leads")
    async def exports(order: ExportOrder) -> Export:
        return await export(database, order.lead_ids)

    return router
