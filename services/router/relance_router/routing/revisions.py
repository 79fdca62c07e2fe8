"""Leads of which more has become known: stored anew, told to their owners, tried again when they stand unrouted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import sealed
from relance.events import Envelope, LeadReceived, LeadRevised
from relance.ids import EventId, LeadId, NewId
from relance_router.deliveries import announcements
from relance_router.deliveries.notifications import write_notifications
from relance_router.domain.configuration import Configuration
from relance_router.domain.lead_facts import lead_facts
from relance_router.domain.owners import company_domain
from relance_router.routing.leads import owners_now

# The lead's row is locked. What is replaced stays: decisions that were made by it are explained by it. Of a lead that
# the release before wrote, what views need must leave the data before it is sealed.
_REVISE = text("""
    WITH newer AS (
        SELECT l.id, l.revision, l.data AS before, CAST(given.data AS jsonb) AS data, given.company_domain,
            given.revised_at, string_to_array(given.keys, ' ') AS person_keys
        FROM unnest(
            CAST(:ids AS uuid[]), CAST(:data AS text[]), CAST(:companies AS text[]),
            CAST(:revised_at AS timestamptz[]), CAST(:keys AS text[])
        ) AS given (id, data, company_domain, revised_at, keys)
        JOIN leads l ON l.id = given.id AND coalesce(l.revised_at, '-infinity') < given.revised_at
            AND l.erased_at IS NULL
    ),
    replaced AS (
        INSERT INTO replaced_leads (lead_id, revision, data) SELECT id, revision, before FROM newer
    )
    UPDATE leads l SET
        data = newer.data, person_keys = newer.person_keys, company_domain = newer.company_domain,
        revised_at = newer.revised_at, revision = newer.revision + 1,
        source = coalesce(l.source, newer.before ->> 'source'),
        channel = coalesce(l.channel, newer.before ->> 'channel'),
        campaign = coalesce(l.campaign, newer.before ->> 'campaign'),
        received_at = coalesce(l.received_at, CAST(newer.before ->> 'received_at' AS timestamptz))
    FROM newer WHERE l.id = newer.id
    RETURNING l.id, l.revision
""")


@dataclass(frozen=True)
class Revision:
    """All that is known of a lead now."""

    event: EventId
    lead: LeadReceived
    revised_at: datetime
    traceparent: str


def newest_revisions(events: Sequence[Envelope]) -> dict[LeadId, Revision]:
    """The newest revision of each lead."""
    found: dict[LeadId, Revision] = {}
    for event in events:
        match event.data:
            case LeadRevised(lead_id=lead_id, revised_at=revised_at):
                if lead_id not in found or found[lead_id].revised_at < revised_at:
                    lead = LeadReceived.model_validate(event.data.model_dump())
                    found[lead_id] = Revision(event.id, lead, revised_at, event.traceparent)
    return found


async def revise(
    connection: AsyncConnection, configuration: Configuration, revisions: Sequence[Revision]
) -> dict[LeadId, int]:
    """Store what is newer than what is known; returns these leads, locked by the caller, with their revision."""
    columns: dict[str, Sequence[object]] = {
        "ids": [each.lead.lead_id for each in revisions],
        "data": [sealed(connection).seal_document(each.lead.model_dump_json()) for each in revisions],
        "companies": [company_domain(configuration, lead_facts(each.lead)) for each in revisions],
        "revised_at": [each.revised_at for each in revisions],
        "keys": [" ".join(each.lead.person_keys) if configuration.same_person else None for each in revisions],
    }
    return {LeadId(row.id): row.revision for row in await connection.execute(_REVISE, columns)}


async def tell_owners(connection: AsyncConnection, revisions: Sequence[Revision], now: datetime, new_id: NewId) -> None:
    """Each owner hears that more is known; whoever is asked or told of the lead later is told all of it anyway."""
    owners = await owners_now(connection, [each.lead.lead_id for each in revisions])
    told = [
        announcements.updated(
            announcements.Holder(owner.rep, owner.assignment_id, owner.lead_id, each.traceparent),
            each.event,
            touch=None if owner.lead_id == each.lead.lead_id else each.lead.lead_id,
            at=now,
            new_id=new_id,
        )
        for each in revisions
        if (owner := owners.get(each.lead.lead_id))
    ]
    await write_notifications(connection, told)
