"""Leads as the router keeps them, and what the escalation policy asks for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import sealed
from relance.events import LeadReceived
from relance.ids import AssignmentId, LeadId
from relance_router.domain.answers import AssignmentState
from relance_router.domain.configuration import Configuration
from relance_router.domain.dispositions import in_hand
from relance_router.domain.owners import company_domain
from relance_router.domain.routing import HeldBecause
from relance_router.domain.terms import Deadlines
from relance_router.routing.requests import Cause, Owner, Request

_KEEP = text("""
    INSERT INTO leads (
        id, data, traceparent, identity, company_domain, source, channel, campaign, received_at
    )
    SELECT id, CAST(data AS jsonb), traceparent, identity, company_domain, source, channel, campaign, received_at
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:data AS text[]), CAST(:traceparents AS text[]), CAST(:identities AS text[]),
        CAST(:companies AS text[]), CAST(:sources AS text[]), CAST(:channels AS text[]), CAST(:campaigns AS text[]),
        CAST(:received_ats AS timestamptz[])
    ) AS given (id, data, traceparent, identity, company_domain, source, channel, campaign, received_at)
    ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING id
""")
_DECLINED = """
    (SELECT coalesce(array_agg(o.rep ORDER BY o.id), '{}') FROM offers o
     WHERE o.lead_id = l.id AND o.state = 'declined') AS declined
"""
_HAD_IT = """
    (SELECT coalesce(array_agg(earlier.rep ORDER BY earlier.ordinal), '{}') FROM assignments earlier
     WHERE earlier.lead_id = l.id) AS had_it
"""
_LOCK_OWNED = text(f"""
    SELECT a.id AS assignment_id, CASE WHEN l.erased_at IS NULL THEN a.state ELSE 'erased' END AS state,
        a.rep, a.team, a.weight, a.disposition, a.assigned_at, a.revision,
        a.respond_by, a.contact_by, a.decide_by, l.data, l.traceparent, {_HAD_IT}
    FROM assignments a JOIN leads l ON l.id = a.lead_id
    WHERE a.id = ANY(CAST(:ids AS uuid[]))
    ORDER BY l.id
    FOR UPDATE OF l, a
""")
# A lead is tried again when its time has come, when somebody of its teams is free, under another configuration, and in
# any case now and then: two seconds after the first try, five minutes at most. An offer is left alone until it ends.
_LOCK_UNROUTED = text(f"""
    SELECT l.data, l.traceparent, u.reason, {_DECLINED}, {_HAD_IT}
    FROM unrouted u JOIN leads l ON l.id = u.lead_id
    WHERE u.until <= now()
        OR u.reason <> 'offered' AND (
            u.configuration <> :configuration
            OR u.teams && CAST(:freed AS text[]) AND u.tried_at < :freed_at
            OR u.tried_at <= now() - greatest(interval '2 seconds', least(interval '5 minutes',
                (u.tried_at - u.since) / 2))
        )
    ORDER BY u.since
    LIMIT :batch
    FOR UPDATE OF l, u SKIP LOCKED
""")
_LOCK_LEAD = text(f"""
    SELECT l.data, l.traceparent, {_DECLINED}, {_HAD_IT}
    FROM leads l WHERE l.id = :id FOR UPDATE
""")


@dataclass(frozen=True)
class OwnedLead:
    """An assignment and its lead, both locked."""

    state: AssignmentState
    disposed: bool
    """Whether sales has said what the lead was worth."""
    owner: Owner
    assigned_at: datetime
    lead: LeadReceived
    traceparent: str
    had_it: tuple[str, ...]
    changed: Deadlines
    """When each window is over, once that has been changed; before, nothing."""

    def needs_another(self, cause: Cause) -> Request:
        """The request to give it to somebody else."""
        return Request(cause, self.lead, self.traceparent, self.had_it, self.owner)


async def keep(connection: AsyncConnection, configuration: Configuration, requests: Sequence[Request]) -> set[LeadId]:
    """Store leads with their traceparents; returns those that were not there before."""
    columns: dict[str, Sequence[object]] = {
        "ids": [request.lead.lead_id for request in requests],
        "data": [sealed(connection).seal_document(request.lead.model_dump_json()) for request in requests],
        "traceparents": [request.traceparent for request in requests],
        "identities": [request.lead.identity_key for request in requests],
        "companies": [company_domain(configuration, request.facts) for request in requests],
        "sources": [request.lead.source for request in requests],
        "channels": [request.lead.channel for request in requests],
        "campaigns": [request.lead.campaign for request in requests],
        "received_ats": [request.lead.received_at for request in requests],
    }
    return set((await connection.execute(_KEEP, columns)).scalars())


async def lock_owned(connection: AsyncConnection, assignments: Sequence[AssignmentId]) -> list[OwnedLead]:
    """Lock assignments with their leads, in the order of the leads."""
    rows = await connection.execute(_LOCK_OWNED, {"ids": list(assignments)})
    return [
        OwnedLead(
            state=AssignmentState(row.state),
            disposed=row.disposition is not None,
            owner=Owner(
                AssignmentId(row.assignment_id),
                row.rep,
                row.team,
                row.weight,
                in_hand=in_hand(AssignmentState(row.state), row.disposition),
            ),
            assigned_at=row.assigned_at,
            lead=_lead(row),
            traceparent=row.traceparent,
            had_it=tuple(row.had_it),
            changed={"response": row.respond_by, "contact": row.contact_by, "disposition": row.decide_by}
            if row.revision
            else {},
        )
        for row in rows
    ]


async def lock_unrouted(
    connection: AsyncConnection, *, configuration: int, freed: Collection[str], freed_at: datetime, batch: int
) -> list[Request]:
    """Lock leads that stand unrouted and are due for another try, the one that has stood longest first.

    `freed` are teams of which somebody has become free; their leads are due that were not tried since `freed_at`.
    """
    values = {"configuration": configuration, "freed": list(freed), "freed_at": freed_at, "batch": batch}
    rows = await connection.execute(_LOCK_UNROUTED, values)
    return [
        Request(
            Cause.UNCLAIMED if row.reason == HeldBecause.OFFERED else Cause.RETRIED,
            _lead(row),
            row.traceparent,
            tuple(row.had_it),
            declined=tuple(row.declined),
        )
        for row in rows
    ]


async def lock_lead(connection: AsyncConnection, lead: LeadId, cause: Cause) -> Request:
    """Lock one lead that stands unrouted, to give it an owner."""
    row = (await connection.execute(_LOCK_LEAD, {"id": lead})).one()
    return Request(cause, _lead(row), row.traceparent, tuple(row.had_it), declined=tuple(row.declined))


async def transaction_time(connection: AsyncConnection) -> datetime:
    """The database's clock: when this transaction began, in UTC."""
    now: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
    return now


def _lead(row: Row[tuple[object, ...]]) -> LeadReceived:
    return LeadReceived.model_validate(row.data)
