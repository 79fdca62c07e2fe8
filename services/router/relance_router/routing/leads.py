"""Leads as the router keeps them, and what the escalation policy asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import LeadReceived
from relance.ids import AssignmentId, LeadId
from relance_router.domain.answers import AssignmentState
from relance_router.routing.assigning import Cause, Owner, Request

_KEEP = text("""
    INSERT INTO leads (id, data, traceparent)
    SELECT id, CAST(data AS jsonb), traceparent
    FROM unnest(CAST(:ids AS uuid[]), CAST(:data AS text[]), CAST(:traceparents AS text[]))
        AS given (id, data, traceparent)
    ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING id
""")
_LOCK_OWNED = text("""
    SELECT a.id AS assignment_id, a.state, a.rep, a.team, a.weight, l.data, l.traceparent,
        (SELECT array_agg(earlier.rep ORDER BY earlier.ordinal) FROM assignments earlier
         WHERE earlier.lead_id = l.id) AS had_it
    FROM assignments a JOIN leads l ON l.id = a.lead_id
    WHERE a.id = ANY(CAST(:ids AS uuid[]))
    ORDER BY l.id
    FOR UPDATE OF l, a
""")
# The longer a lead has stood, the longer until it is tried again: two seconds at first, a minute at most. Without a
# rule for it, only another configuration helps.
_LOCK_UNROUTED = text("""
    SELECT l.data, l.traceparent,
        (SELECT coalesce(array_agg(earlier.rep ORDER BY earlier.ordinal), '{}') FROM assignments earlier
         WHERE earlier.lead_id = l.id) AS had_it
    FROM unrouted u JOIN leads l ON l.id = u.lead_id
    WHERE u.configuration <> :configuration
        OR (
            :impatient OR u.tried_at <= now() - greatest(interval '2 seconds', least(interval '1 minute',
                (u.tried_at - u.since) / 2))
        )
    ORDER BY u.since
    LIMIT :batch
    FOR UPDATE OF l, u SKIP LOCKED
""")


@dataclass(frozen=True)
class OwnedLead:
    """An assignment and its lead, both locked."""

    state: AssignmentState
    owner: Owner
    lead: LeadReceived
    traceparent: str
    had_it: tuple[str, ...]

    def needs_another(self, cause: Cause) -> Request:
        """The request to give it to somebody else."""
        return Request(cause, self.lead, self.traceparent, self.had_it, self.owner)


async def keep(connection: AsyncConnection, leads: Sequence[tuple[LeadReceived, str]]) -> set[LeadId]:
    """Store leads with their traceparents; returns those that were not there before."""
    columns = {
        "ids": [lead.lead_id for lead, _ in leads],
        "data": [lead.model_dump_json() for lead, _ in leads],
        "traceparents": [traceparent for _, traceparent in leads],
    }
    return set((await connection.execute(_KEEP, columns)).scalars())


async def lock_owned(connection: AsyncConnection, assignments: Sequence[AssignmentId]) -> list[OwnedLead]:
    """Lock assignments with their leads, in the order of the leads."""
    rows = await connection.execute(_LOCK_OWNED, {"ids": list(assignments)})
    return [
        OwnedLead(
            state=AssignmentState(row.state),
            owner=Owner(AssignmentId(row.assignment_id), row.rep, row.team, row.weight),
            lead=_lead(row),
            traceparent=row.traceparent,
            had_it=tuple(row.had_it),
        )
        for row in rows
    ]


async def lock_unrouted(
    connection: AsyncConnection, *, configuration: int, impatient: bool, batch: int
) -> list[Request]:
    """Lock leads that stand unrouted and are due for another try, the one that has stood longest first."""
    rows = await connection.execute(
        _LOCK_UNROUTED, {"configuration": configuration, "impatient": impatient, "batch": batch}
    )
    return [Request(Cause.RETRIED, _lead(row), row.traceparent, tuple(row.had_it)) for row in rows]


async def transaction_time(connection: AsyncConnection) -> datetime:
    """The database's clock: when this transaction began, in UTC."""
    now: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
    return now


def _lead(row: Row[tuple[object, ...]]) -> LeadReceived:
    return LeadReceived.model_validate(row.data)
