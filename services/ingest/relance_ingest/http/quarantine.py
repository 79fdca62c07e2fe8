"""What operators see of the quarantine, and how they release and discard."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database, sealed
from relance.events import CallDetails, Contact
from relance.events.data import Channel
from relance.http.operators import OperatorOnly
from relance.http.problems import Problem, declared
from relance.ids import LeadId
from relance_ingest.domain.submissions import Line
from relance_ingest.domain.suspicion import WORDS, Suspicion
from relance_ingest.spam import quarantine
from relance_ingest.spam.quarantine import Decision, Filter, State

MOST_AT_ONCE = 1000


class Reason(BaseModel):
    """Why it was suspected."""

    reason: str
    words: str


class Decided(BaseModel):
    """What was decided last."""

    by: str
    reason: str | None
    at: AwareDatetime


class Quarantined(BaseModel):
    """A suspected lead, with the person: somebody must judge it."""

    lead_id: UUID
    state: State
    reasons: list[Reason]
    decided: Decided | None
    source: str
    channel: Channel
    campaign: str | None
    received_at: AwareDatetime
    contact: Contact
    fields: dict[str, str]
    call: CallDetails | None


class Quarantine(BaseModel):
    """A page, newest first."""

    leads: list[Quarantined]
    next: UUID | None = Field(description="Give it as `before` for the next page; none on the last.")


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Release(_Given):
    """It is no spam."""

    by: Line = Field(description="Who answers for it.")
    reason: Line | None = None


class Discard(_Given):
    """It is spam. It stays stored as long as any lead, and may still be released."""

    by: Line = Field(description="Who answers for it.")
    reason: Line


class Which(_Given):
    """Of the leads that wait, those with all of these; without any, all."""

    source: Line | None = None
    reason: Suspicion | None = None


class ReleaseMany(Release):
    """They are no spam."""

    which: Which


class DiscardMany(Discard):
    """They are spam."""

    which: Which


class DecidedMany(BaseModel):
    """What it came to."""

    lead_ids: list[UUID]
    more: bool = Field(description="Whether the limit of one request was reached: ask again.")


def quarantine_api(database: Database, operator_only: OperatorOnly, on_released: Callable[[], None]) -> APIRouter:
    """`/v1/quarantine`; `on_released` is told that there is something to publish."""

    def not_stored(response: Response) -> None:
        response.headers["Cache-Control"] = "no-store"

    router = APIRouter(
        prefix="/v1/quarantine",
        tags=["quarantine"],
        dependencies=[Depends(operator_only), Depends(not_stored)],
        responses=declared(401, 422, 503),
    )

    @router.get("", summary="Suspected leads, newest first")
    async def list_quarantine(
        source: Annotated[Line | None, Query()] = None,
        reason: Suspicion | None = None,
        state: State = State.WAITING,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        before: Annotated[UUID | None, Query(description="`next` of the page before.")] = None,
    ) -> Quarantine:
        which = Filter(state, source, reason)
        async with database.transaction() as connection:
            rows = await quarantine.page(connection, which, before=LeadId(before) if before else None, limit=limit)
            leads = [_shown(connection, row) for row in rows]
        return Quarantine(leads=leads, next=leads[-1].lead_id if len(leads) == limit else None)

    @router.post("/{lead_id}/release", summary="Route it after all", responses=declared(404, 409))
    async def release(lead_id: UUID, given: Release) -> Quarantined:
        async with database.transaction() as connection:
            shown = await _decide_one(connection, LeadId(lead_id), Decision(State.RELEASED, given.by, given.reason))
        on_released()
        return shown

    @router.post("/{lead_id}/discard", summary="Mark it as spam for good", responses=declared(404, 409))
    async def discard(lead_id: UUID, given: Discard) -> Quarantined:
        async with database.transaction() as connection:
            return await _decide_one(connection, LeadId(lead_id), Decision(State.DISCARDED, given.by, given.reason))

    @router.post("/release", summary=f"Release the oldest {MOST_AT_ONCE} of a filter")
    async def release_many(given: ReleaseMany) -> DecidedMany:
        decided = await _decide_many(database, given.which, Decision(State.RELEASED, given.by, given.reason))
        on_released()
        return decided

    @router.post("/discard", summary=f"Discard the oldest {MOST_AT_ONCE} of a filter")
    async def discard_many(given: DiscardMany) -> DecidedMany:
        return await _decide_many(database, given.which, Decision(State.DISCARDED, given.by, given.reason))

    return router


async def _decide_one(connection: AsyncConnection, lead_id: LeadId, decision: Decision) -> Quarantined:
    """Decided already in the same way: nothing more happens."""
    await quarantine.lock(connection, lead_id)
    row = await quarantine.one(connection, lead_id)
    if row is None:
        raise Problem(HTTPStatus.NOT_FOUND, "No such lead", f"There is no lead {lead_id}.")
    if not row.suspicions:
        raise Problem(HTTPStatus.CONFLICT, "Not quarantined", "This lead was never suspected: it was routed at once.")
    if decision.state is State.DISCARDED and row.state == State.RELEASED:
        raise Problem(
            HTTPStatus.CONFLICT, "Released", "This lead was released, and a rep has it. Ask them to reject it."
        )
    if await quarantine.decide(connection, [lead_id], decision):
        row = await quarantine.one(connection, lead_id)
    return _shown(connection, row)


async def _decide_many(database: Database, which: Which, decision: Decision) -> DecidedMany:
    filtered = Filter(State.WAITING, which.source, which.reason)
    async with database.transaction() as connection:
        lead_ids = await quarantine.matching(connection, filtered, MOST_AT_ONCE)
        decided = await quarantine.decide(connection, lead_ids, decision)
    return DecidedMany(lead_ids=decided, more=len(lead_ids) == MOST_AT_ONCE)


def _shown(connection: AsyncConnection, row: Row[tuple[object, ...]] | None) -> Quarantined:
    if row is None:
        raise LookupError("a locked lead is gone")
    lead = row.data
    reason = sealed(connection).open(row.reason) if row.reason else None
    return Quarantined(
        lead_id=row.id,
        state=State(row.state),
        reasons=[Reason(reason=each, words=WORDS.get(each, each)) for each in row.suspicions],
        decided=Decided(by=row.decided_by, reason=reason, at=row.decided_at) if row.decided_by else None,
        **{
            name: lead.get(name)
            for name in ("source", "channel", "campaign", "received_at", "contact", "fields", "call")
        },
    )
