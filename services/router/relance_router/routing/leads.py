"""Leads as the router keeps them, and what the escalation policy asks for."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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
from relance_router.domain.same_person import Joining
from relance_router.domain.terms import Deadlines
from relance_router.routing.requests import Cause, Owner, Request

_KEEP = text("""
    INSERT INTO leads (
        id, data, traceparent, identity, company_domain, source, channel, campaign, received_at, person_keys, joined,
        joining
    )
    SELECT id, CAST(data AS jsonb), traceparent, identity, company_domain, source, channel, campaign, received_at,
        string_to_array(keys, ' '), joined, CAST(joining AS jsonb)
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:data AS text[]), CAST(:traceparents AS text[]), CAST(:identities AS text[]),
        CAST(:companies AS text[]), CAST(:sources AS text[]), CAST(:channels AS text[]), CAST(:campaigns AS text[]),
        CAST(:received_ats AS timestamptz[]), CAST(:keys AS text[]), CAST(:joined AS uuid[]), CAST(:joinings AS text[])
    ) AS given (
        id, data, traceparent, identity, company_domain, source, channel, campaign, received_at, keys, joined, joining
    )
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
        a.respond_by, a.contact_by, a.decide_by, l.data, l.revision AS lead_revision, l.traceparent, {_HAD_IT},
        CASE WHEN a.state = 'reassigned' AND l.erased_at IS NULL AND NOT EXISTS (
            SELECT FROM assignments later
            WHERE later.lead_id = l.id AND later.ordinal > a.ordinal
                AND (later.state IN ('acknowledged', 'contacted', 'moved') OR later.disposition IS NOT NULL)
        ) THEN a.ended_at END AS passed_on_at
    FROM assignments a JOIN leads l ON l.id = a.lead_id
    WHERE a.id = ANY(CAST(:ids AS uuid[]))
    ORDER BY l.id
    FOR UPDATE OF l, a
""")
# A lead is tried again when its time has come, when somebody of its teams is free, under another configuration, and in
# any case now and then: two seconds after the first try, five minutes at most. An offer is left alone until it ends.
_LOCK_UNROUTED = text(f"""
    SELECT l.data, l.revision, l.traceparent, u.reason, {_DECLINED}, {_HAD_IT}
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
# But for those that are offered: an offer is left alone until it ends.
_LOCK_STANDING = text(f"""
    SELECT l.data, l.revision, l.traceparent, {_DECLINED}, {_HAD_IT}
    FROM unrouted u JOIN leads l ON l.id = u.lead_id
    WHERE u.lead_id = ANY(CAST(:ids AS uuid[])) AND u.reason <> 'offered'
    ORDER BY l.id FOR UPDATE OF l, u
""")
_LOCK = text("""
    SELECT FROM leads WHERE id IN (
        SELECT unnest(CAST(:ids AS uuid[]))
        UNION SELECT joined FROM leads WHERE id = ANY(CAST(:ids AS uuid[]))
    )
    ORDER BY id FOR UPDATE
""")
_OWNERS = text("""
    SELECT l.id, a.lead_id, a.id AS assignment_id, a.rep
    FROM leads l JOIN assignments a ON a.lead_id = coalesce(l.joined, l.id)
    WHERE l.id = ANY(CAST(:ids AS uuid[])) AND a.ended_at IS NULL
""")
_BEFORE = text("SELECT data FROM replaced_leads WHERE lead_id = :id AND revision = :revision")
_LOCK_LEAD = text(f"""
    SELECT l.data, l.revision, l.traceparent, {_DECLINED}, {_HAD_IT}
    FROM leads l WHERE l.id = :id FOR UPDATE
""")


@dataclass(frozen=True)
class OwnerNow:
    """Who has a lead, or the lead that it joined."""

    lead_id: LeadId
    assignment_id: AssignmentId
    rep: str


@dataclass(frozen=True)
class OwnedLead:
    """An assignment and its lead, both locked."""

    state: AssignmentState
    disposed: bool
    """Whether sales has said what the lead was worth."""
    owner: Owner
    assigned_at: datetime
    lead: LeadReceived
    lead_revision: int
    traceparent: str
    had_it: tuple[str, ...]
    changed: Deadlines
    """When each window is over, once that has been changed; before, nothing."""
    passed_on_at: datetime | None
    """When it was taken from a rep who ignored it, unless somebody has answered or looked since."""

    def needs_another(self, cause: Cause) -> Request:
        """The request to give it to somebody else."""
        return Request(cause, self.lead, self.traceparent, self.had_it, self.owner, revision=self.lead_revision)


async def keep(
    connection: AsyncConnection,
    configuration: Configuration,
    requests: Sequence[Request],
    joinings: Mapping[LeadId, Joining],
) -> set[LeadId]:
    """Store leads with their traceparents, and of whom they are touches; returns those that were not there before."""
    joined = [joinings.get(request.lead.lead_id) for request in requests]
    recognise = configuration.same_person is not None
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
        "keys": [" ".join(request.lead.person_keys) if recognise else None for request in requests],
        "joined": [each and each.joined for each in joined],
        "joinings": [each and _joining(each) for each in joined],
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
            lead_revision=row.lead_revision,
            traceparent=row.traceparent,
            had_it=tuple(row.had_it),
            changed={"response": row.respond_by, "contact": row.contact_by, "disposition": row.decide_by}
            if row.revision
            else {},
            passed_on_at=row.passed_on_at,
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
            revision=row.revision,
        )
        for row in rows
    ]


async def lock_standing(connection: AsyncConnection, leads: Sequence[LeadId]) -> list[Request]:
    """Those of these leads that stand unrouted, to be tried again now."""
    rows = await connection.execute(_LOCK_STANDING, {"ids": list(leads)})
    return [
        Request(
            Cause.RETRIED,
            _lead(row),
            row.traceparent,
            tuple(row.had_it),
            declined=tuple(row.declined),
            revision=row.revision,
        )
        for row in rows
    ]


async def lock_leads(connection: AsyncConnection, leads: Collection[LeadId]) -> None:
    """Lock leads, and those that they joined, in their order; before anything is read of them."""
    await connection.execute(_LOCK, {"ids": list(leads)})


async def owners_now(connection: AsyncConnection, leads: Collection[LeadId]) -> dict[LeadId, OwnerNow]:
    """Who has these leads, or those that they joined; nobody has those that are missing."""
    rows = await connection.execute(_OWNERS, {"ids": list(leads)})
    return {LeadId(row.id): OwnerNow(LeadId(row.lead_id), AssignmentId(row.assignment_id), row.rep) for row in rows}


async def lock_lead(connection: AsyncConnection, lead: LeadId, cause: Cause) -> Request:
    """Lock one lead that stands unrouted, to give it an owner."""
    row = (await connection.execute(_LOCK_LEAD, {"id": lead})).one()
    return Request(
        cause, _lead(row), row.traceparent, tuple(row.had_it), declined=tuple(row.declined), revision=row.revision
    )


async def as_it_was(connection: AsyncConnection, request: Request, revision: int) -> Request:
    """The lead as it was known after so many revisions, as far as that is still kept."""
    row = (await connection.execute(_BEFORE, {"id": request.lead.lead_id, "revision": revision})).one_or_none()
    return replace(request, lead=_lead(row), revision=revision) if row else request


async def transaction_time(connection: AsyncConnection) -> datetime:
    """The database's clock: when this transaction began, in UTC."""
    now: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
    return now


def _joining(joining: Joining) -> str:
    return json.dumps(
        {
            "recognised_by": joining.recognised_by,
            "considered": [{"lead_id": str(each.lead), "because": each.because} for each in joining.considered],
        }
    )


def _lead(row: Row[tuple[object, ...]]) -> LeadReceived:
    return LeadReceived.model_validate(row.data)
