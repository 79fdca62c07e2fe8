"""All that the SLA monitor holds of some leads, for a person who asks what is held of them."""

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from relance.database import Database
from relance.http.exports import ExportOrder
from relance.http.operators import OperatorOnly
from relance.http.problems import declared
from relance_sla_monitor.timeline import LeadClocks, read_timelines


class Export(BaseModel):
    """Those leads that are known, each once; nothing in it says who the person is."""

    leads: list[LeadClocks]


def exports_api(database: Database, operator_only: OperatorOnly) -> APIRouter:
    """`/v1/exports`."""
    router = APIRouter(tags=["privacy"], dependencies=[Depends(operator_only)], responses=declared(401, 422, 503))

    @router.post("/v1/exports", summary="All that the SLA monitor holds of some leads")
    async def exports(order: ExportOrder) -> Export:
        return Export(leads=await read_timelines(database, list(dict.fromkeys(order.lead_ids))))

    return router
