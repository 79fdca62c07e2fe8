"""Leads of the last days, for rehearsing a configuration on them."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import Row, text

from relance.clock import utc_now
from relance.database import Database
from relance.events import LeadReceived
from relance.http.operators import OperatorOnly
from relance.http.problems import declared
from relance.ids import first_id_at
from relance_router.domain.lead_facts import lead_facts
from relance_router.domain.past_leads import PastLead

_CHUNK = 500
# Chunks by key, each in a transaction of its own: a reader who is slow holds neither a snapshot nor a connection.
_LEADS = text("""
    SELECT l.id, l.joined, l.data, a.rule, a.team, a.rep, a.configuration, a.assigned_at,
        (SELECT assigned_at FROM assignments WHERE lead_id = l.joined AND ordinal = 1) AS joined_assigned_at,
        (SELECT min(responded_at) FROM assignments any_a JOIN answers ON assignment_id = any_a.id
         WHERE any_a.lead_id = coalesce(l.joined, l.id) AND answer IN ('acknowledged', 'contacted')) AS responded_at,
        (SELECT max(recorded_at) FROM assignments last_a JOIN dispositions ON assignment_id = last_a.id
         WHERE last_a.lead_id = coalesce(l.joined, l.id) AND last_a.ended_at IS NULL
            AND last_a.disposition IN ('rejected', 'won', 'lost')) AS over_at,
        coalesce(a.ended_at, (SELECT responded_at FROM answers
         WHERE assignment_id = a.id AND answer = 'contacted')) AS out_of_hand_at,
        (SELECT count(*) FROM assignments WHERE lead_id = l.id AND state = 'declined') AS declines,
        (SELECT count(*) FROM assignments WHERE lead_id = l.id AND state = 'reassigned') AS reassignments
    FROM leads l LEFT JOIN assignments a ON a.lead_id = l.id AND a.ordinal = 1
    WHERE l.id > :after AND l.erased_at IS NULL ORDER BY l.id LIMIT :chunk
""")


def export_api(database: Database, operator_only: OperatorOnly) -> APIRouter:
    """`GET /v1/leads/export`."""
    router = APIRouter(tags=["leads"], dependencies=[Depends(operator_only)])

    @router.get(
        "/v1/leads/export",
        summary="Leads of the last days, without names, addresses and telephone numbers",
        response_class=StreamingResponse,
        responses={
            200: {
                "content": {"application/x-ndjson": {"schema": PastLead.model_json_schema()}},
                "description": "A lead a line, in the order of receipt. A connection that breaks off: not all of them.",
            },
            **declared(401, 422),
        },
    )
    async def export(days: Annotated[int, Query(ge=1, le=3650)] = 7) -> StreamingResponse:
        return StreamingResponse(export_lines(database, days), media_type="application/x-ndjson")

    return router


async def export_lines(database: Database, days: int) -> AsyncIterator[str]:
    """The leads of the last days, in the order of receipt; each piece holds some lines of `PastLead` as JSON."""
    # A lead's id is made when it is received, so that ids are in the order of receipt.
    after: UUID = first_id_at(utc_now() - timedelta(days=days))
    while True:
        async with database.transaction() as connection:
            rows = (await connection.execute(_LEADS, {"after": after, "chunk": _CHUNK})).all()
        yield "".join(f"{_past(row).model_dump_json()}\n" for row in rows)
        if len(rows) < _CHUNK:
            return
        after = rows[-1].id


def _past(row: Row[tuple[object, ...]]) -> PastLead:
    lead = LeadReceived.model_validate(row.data)
    facts = lead_facts(lead)
    return PastLead(
        lead_id=row.id,
        received_at=facts.received_at,
        identity=facts.identity,
        person_keys=_person_keys(lead),
        joined=row.joined,
        fields=dict(facts.fields),
        rule=row.rule,
        team=row.team,
        rep=row.rep,
        configuration=row.configuration,
        assigned_at=row.assigned_at,
        first_response_seconds=_seconds(row.joined_assigned_at or lead.received_at, row.responded_at),
        in_hand_seconds=_seconds(row.assigned_at, row.out_of_hand_at),
        over_seconds=_seconds(lead.received_at, row.over_at),
        declines=row.declines,
        reassignments=row.reassignments,
    )


def _person_keys(lead: LeadReceived) -> tuple[str, ...] | None:
    # Events of old say nothing of keys.
    unknown = not lead.person_keys and (lead.contact.email or lead.contact.phone)
    return None if unknown else lead.person_keys


def _seconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else (end - start).total_seconds()
