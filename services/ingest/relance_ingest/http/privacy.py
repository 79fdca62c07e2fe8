"""What operators do for a person who asks: erase all that is held of them, or give it to them.

Who it is stands in a body, and never in an address, which logs would keep.
"""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from relance.database import Database
from relance.events import CallDetails, Contact
from relance.events.data import Channel
from relance.http.operators import OperatorOnly
from relance.http.problems import FieldFault, Problem, declared, invalid_fields
from relance.ids import ErasureId, LeadId
from relance.personal_data import PersonalData
from relance_ingest.acceptance.naming import name_all
from relance_ingest.domain.contact_details import NotReachable, normal_email, normal_phone
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.domain.submissions import Line
from relance_ingest.privacy import Erasures, Person, Standing, finding

MOST_AT_ONCE = 500


class WhoAsks(BaseModel):
    """A person, by e-mail, by phone or by both: leads that have either of them are theirs."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "anyOf": [{"required": [way], "properties": {way: {"type": "string"}}} for way in ("email", "phone")]
        },
    )

    email: Line | None = None
    phone: Line | None = Field(None, description="With its country code, and its extension if it has one.")

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.email is None and self.phone is None:
            raise PydanticCustomError("nobody", "Give an email or a phone: it says whose leads are meant.")
        return self

    def person(self) -> Person:
        """Normalised.

        Raises:
            Problem: 422, names what is wrong.
        """
        faults: list[FieldFault] = []
        email = phone = None
        try:
            email = normal_email(self.email) if self.email else None
        except NotReachable as error:
            faults.append(FieldFault("/email", str(error)))
        try:
            phone = normal_phone(self.phone, None) if self.phone else None
        except NotReachable as error:
            faults.append(FieldFault("/phone", str(error)))
        if faults:
            raise invalid_fields(faults)
        return Person(email, phone)


class ErasureRequest(WhoAsks):
    """Erase all leads of a person."""

    by: Line = Field(description="Who answers for it.")
    reason: Line | None = Field(None, description="Such as the number of the request; it is kept: name nobody.")


class Done(BaseModel):
    """What one service has erased."""

    service: str
    rows: dict[str, int] = Field(description="Rows blanked or deleted, by table.")
    parts: int = Field(description="For so many parts of the erasure.")
    erased_at: AwareDatetime = Field(description="When the last of them was.")


class Erasure(BaseModel):
    """How far an erasure is. It names nobody."""

    erasure_id: UUID
    because: Literal["request", "retention"]
    requested_by: str | None
    reason: str | None
    requested_at: AwareDatetime
    complete: bool = Field(description="Whether no service holds anything any more.")
    waiting_for: list[str] = Field(description="Services that have not proven it.")
    done: list[Done]
    lead_ids: list[UUID] = Field(description="What was erased.")
    messages_until: AwareDatetime = Field(
        description="Until when Kafka may still hold these leads as they came, as its retention is set now."
    )
    dead_letters_until: AwareDatetime = Field(
        description="Until when it may hold messages about them that could not be handled."
    )


class ExportRequest(WhoAsks):
    """Give all that is held of a person."""

    after: UUID | None = Field(None, description="`next` of the page before.")


class HeldLead(BaseModel):
    """All that ingest holds of a lead, but what names operators."""

    lead_id: UUID
    source: str
    channel: Channel
    campaign: str | None
    idempotency_key: str
    received_at: AwareDatetime
    revised_at: AwareDatetime | None
    identity_key: str
    person_keys: list[str]
    contact: Contact
    fields: dict[str, str]
    call: CallDetails | None
    suspicions: list[str] = Field(description="Why it was quarantined.")
    released_at: AwareDatetime | None
    discarded_at: AwareDatetime | None
    reasons: list[str] = Field(description="What was said when it was released or discarded.")


class Export(BaseModel):
    """A page, oldest first. Other services are asked for these leads by their ids."""

    leads: list[HeldLead]
    next: UUID | None = Field(description="Give it as `after` for the next page; none on the last.")


def privacy_api(
    database: Database,
    erasures: Erasures,
    pseudonyms: Pseudonyms,
    operator_only: OperatorOnly,
    *,
    on_requested: Callable[[], None],
    messages_kept: timedelta,
    dead_letters_kept: timedelta,
) -> APIRouter:
    """`/v1/erasures` and `/v1/exports`; `on_requested` is told that there may be more to erase."""

    def not_stored(response: Response) -> None:
        response.headers["Cache-Control"] = "no-store"

    router = APIRouter(
        prefix="/v1",
        tags=["privacy"],
        dependencies=[Depends(operator_only), Depends(not_stored)],
        responses=declared(401, 422, 503),
    )

    def shown(standing: Standing | None, erasure_id: UUID) -> Erasure:
        if standing is None:
            raise Problem(HTTPStatus.NOT_FOUND, "No such erasure", f"There is no erasure {erasure_id}.")
        return _shown(standing, messages_kept, dead_letters_kept)

    @router.post(
        "/erasures", status_code=202, summary="Erase a person's leads everywhere", responses=declared(400, 413)
    )
    async def request(given: ErasureRequest) -> Erasure:
        erasure_id = await erasures.request(given.person(), given.by, given.reason)
        on_requested()
        return shown(await erasures.standing(erasure_id), erasure_id)

    @router.get("/erasures/{erasure_id}", summary="How far an erasure is", responses=declared(404))
    async def standing(erasure_id: UUID) -> Erasure:
        return shown(await erasures.standing(ErasureId(erasure_id)), erasure_id)

    @router.post("/exports", summary="All that ingest holds of a person", responses=declared(400, 413))
    async def export(given: ExportRequest) -> Export:
        keys = given.person().keys(pseudonyms)
        after = LeadId(given.after) if given.after else None
        await name_all(database)
        async with database.transaction() as connection:
            rows = await finding.page(connection, keys, after=after, most=MOST_AT_ONCE)
        leads = [_held(row, database.personal_data) for row in rows]
        return Export(leads=leads, next=leads[-1].lead_id if len(leads) == MOST_AT_ONCE else None)

    return router


def _shown(standing: Standing, messages_kept: timedelta, dead_letters_kept: timedelta) -> Erasure:
    # Its leads may have been told only just before whoever proved it: Kafka, or a service, was away.
    told_until = max([standing.requested_at, *(each.erased_at for each in standing.proofs)])
    return Erasure(
        erasure_id=standing.id,
        because=standing.because,
        requested_by=standing.requested_by,
        reason=standing.reason,
        requested_at=standing.requested_at,
        complete=not standing.waiting_for,
        waiting_for=standing.waiting_for,
        done=[
            Done(service=each.service, rows=each.rows, parts=each.parts, erased_at=each.erased_at)
            for each in standing.proofs
        ],
        lead_ids=standing.lead_ids,
        messages_until=told_until + messages_kept,
        dead_letters_until=told_until + dead_letters_kept,
    )


def _held(row: Row[Any], personal_data: PersonalData) -> HeldLead:
    return HeldLead.model_validate(
        {
            "person_keys": [],  # which leads from before have not
            **row.data,
            "idempotency_key": row.idempotency_key,
            "revised_at": row.revised_at,
            "suspicions": row.suspicions,
            "released_at": row.released_at,
            "discarded_at": row.discarded_at,
            "reasons": [personal_data.open(reason) for reason in row.reasons],
        }
    )
