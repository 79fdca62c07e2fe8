"""Leads of people who are being spoken with already: found by the person's keys, stored, and told to the owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.database import after_commit
from relance.events import LeadJoined, LeadReceived
from relance.ids import LeadId, NewId
from relance_router import metrics
from relance_router.deliveries import announcements
from relance_router.deliveries.notifications import write_notifications
from relance_router.domain.configuration import Configuration
from relance_router.domain.same_person import Conversation, Joining, join
from relance_router.routing.assignments import event
from relance_router.routing.leads import lock_leads, owners_now
from relance_router.routing.requests import Request

BUCKETS = 1024
"""Locks that people share, so that the largest batches do not fill the database's table of locks."""

# Another batch may hold a lead of the same person that is not committed yet: its locks are held until it is, and what
# comes next sees it.
_LOCK_PEOPLE = text("""
    SELECT pg_advisory_xact_lock(hashtext('router_people'), bucket)
    FROM unnest(CAST(:buckets AS integer[])) AS given (bucket)
""")
# A step into the index for each key: of an overlap with all of them at once, plans think that it is half the table.
_MEET = text("""
    SELECT met.id, met.conversation FROM unnest(CAST(:keys AS text[])) AS given (key)
    CROSS JOIN LATERAL (
        SELECT id, coalesce(joined, id) AS conversation FROM leads WHERE person_keys @> ARRAY[given.key]
    ) met
    UNION SELECT id, coalesce(joined, id) FROM leads WHERE id = ANY(CAST(:ids AS uuid[]))
""")
_READ = text("""
    SELECT l.id, coalesce(l.source, l.data ->> 'source') AS source,
        l.routed_at AS began_at, max(heard.routed_at) AS heard_at,
        coalesce(array_agg(DISTINCT key) FILTER (WHERE key IS NOT NULL), '{}') AS keys,
        EXISTS (SELECT FROM unrouted u WHERE u.lead_id = l.id) OR EXISTS (
            SELECT FROM assignments a
            WHERE a.lead_id = l.id AND a.ended_at IS NULL AND coalesce(a.disposition, 'accepted') = 'accepted'
        ) AS open
    FROM leads l
    CROSS JOIN LATERAL (
        SELECT l.routed_at, l.person_keys UNION ALL SELECT t.routed_at, t.person_keys FROM leads t WHERE t.joined = l.id
    ) heard
    LEFT JOIN LATERAL unnest(heard.person_keys) AS key ON true
    WHERE l.id = ANY(CAST(:ids AS uuid[])) AND l.joined IS NULL
    GROUP BY l.id
""")


@dataclass(frozen=True)
class Met:
    """Leads that were there and share a key with those that come in, or are them; and the conversations of these."""

    leads: frozenset[LeadId]
    conversations: frozenset[LeadId]


async def meet(
    connection: AsyncConnection,
    configuration: Configuration,
    newcomers: Sequence[LeadReceived],
    *,
    lock_too: set[LeadId],
) -> Met:
    """Lock the people of these leads, whatever they may join, and `lock_too`.

    Costs nothing while the configuration does not ask for it, but the lock of `lock_too`.
    """
    keys = {key for lead in newcomers for key in lead.person_keys} if configuration.same_person else set()
    if keys:
        await connection.execute(_LOCK_PEOPLE, {"buckets": sorted({_bucket(key) for key in keys})})
    ids = [lead.lead_id for lead in newcomers]
    rows = (await connection.execute(_MEET, {"keys": sorted(keys), "ids": ids})).all() if keys else []
    conversations = {LeadId(row.conversation) for row in rows}
    if conversations or lock_too:
        await lock_leads(connection, conversations | lock_too)
    return Met(frozenset(LeadId(row.id) for row in rows), frozenset(conversations))


async def recognise(
    connection: AsyncConnection,
    configuration: Configuration,
    newcomers: Sequence[LeadReceived],
    met: Met,
    now: datetime,
) -> dict[LeadId, Joining]:
    """Which of these leads are touches of which of those that they met, as these stand now."""
    if configuration.same_person is None:
        return {}
    new = [lead for lead in newcomers if lead.lead_id not in met.leads]
    there = await _read(connection, met.conversations) if met.conversations else []
    return join(new, there, now, configuration.same_person)


async def tell_touches(
    connection: AsyncConnection,
    touches: Sequence[tuple[Request, Joining]],
    now: datetime,
    new_id: NewId,
) -> None:
    """Each owner hears that the person has come again; whoever gets the lead later is told of its touches then."""
    if not touches:
        return
    owners = await owners_now(connection, [request.lead.lead_id for request, _ in touches])
    told = [
        announcements.touched(
            announcements.Holder(owner.rep, owner.assignment_id, owner.lead_id, request.traceparent),
            request.lead.lead_id,
            at=now,
            new_id=new_id,
        )
        for request, _ in touches
        if (owner := owners.get(request.lead.lead_id))
    ]
    await write_notifications(connection, told)
    events = [event(_joined(request.lead, joining, now), request, now, new_id) for request, joining in touches]
    await outbox.append(connection, events)
    after_commit(connection, lambda: metrics.JOINED.inc(len(touches)))


def _joined(lead: LeadReceived, joining: Joining, now: datetime) -> LeadJoined:
    return LeadJoined(
        lead_id=lead.lead_id,
        joined=joining.joined,
        source=lead.source,
        channel=lead.channel,
        campaign=lead.campaign,
        recognised_by=joining.recognised_by,
        received_at=lead.received_at,
        joined_at=now,
    )


async def _read(connection: AsyncConnection, leads: frozenset[LeadId]) -> list[Conversation]:
    rows = await connection.execute(_READ, {"ids": list(leads)})
    return [
        Conversation(LeadId(row.id), frozenset(row.keys), row.began_at, row.heard_at, row.source, open=row.open)
        for row in rows
    ]


def _bucket(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=4).digest()) % BUCKETS
