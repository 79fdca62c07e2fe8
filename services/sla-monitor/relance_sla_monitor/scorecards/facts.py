"""What scorecards keep of events, beyond clocks: what leads were worth, and leads that nobody could be given."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import AssignmentMade, DispositionRecorded, Envelope, LeadErased, LeadUnrouted

# The newest of an assignment counts, in whatever order they are heard of; event ids are in the order of creation.
_DISPOSE = text("""
    INSERT INTO dispositions (assignment_id, lead_id, disposition, reason, recorded_at, event_id)
    SELECT DISTINCT ON (assignment_id) *
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:lead_ids AS uuid[]), CAST(:dispositions AS text[]),
        CAST(:reasons AS text[]), CAST(:recorded_ats AS timestamptz[]), CAST(:event_ids AS uuid[])
    ) AS given (assignment_id, lead_id, disposition, reason, recorded_at, event_id)
    ORDER BY assignment_id, recorded_at DESC, event_id DESC
    ON CONFLICT (assignment_id) DO UPDATE SET
        disposition = excluded.disposition, reason = excluded.reason,
        recorded_at = excluded.recorded_at, event_id = excluded.event_id
    WHERE (dispositions.recorded_at, dispositions.event_id) < (excluded.recorded_at, excluded.event_id)
""")
# The newest of both moments counts, in whatever order they are heard of.
_HOLD = text("""
    INSERT INTO unrouted_leads AS known (lead_id, source, channel, campaign, team, received_at, unrouted_at, given_at)
    SELECT DISTINCT ON (lead_id) given.*,
        (SELECT max(c.started_at) FROM clocks c WHERE c.lead_id = given.lead_id)
    FROM unnest(
        CAST(:lead_ids AS uuid[]), CAST(:sources AS text[]), CAST(:channels AS text[]), CAST(:campaigns AS text[]),
        CAST(:teams AS text[]), CAST(:received_ats AS timestamptz[]), CAST(:unrouted_ats AS timestamptz[])
    ) AS given (lead_id, source, channel, campaign, team, received_at, unrouted_at)
    ORDER BY lead_id, unrouted_at DESC
    ON CONFLICT (lead_id) DO UPDATE SET unrouted_at = excluded.unrouted_at, team = excluded.team
    WHERE known.unrouted_at < excluded.unrouted_at
""")
_GIVE = text("""
    UPDATE unrouted_leads u SET given_at = greatest(u.given_at, made.assigned_at)
    FROM (
        SELECT lead_id, max(assigned_at) AS assigned_at
        FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:assigned_ats AS timestamptz[])) AS each (lead_id, assigned_at)
        GROUP BY lead_id
    ) AS made
    WHERE u.lead_id = made.lead_id
""")
_ERASE = text("""
    UPDATE unrouted_leads u SET erased_at = given.erased_at
    FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:erased_ats AS timestamptz[])) AS given (lead_id, erased_at)
    WHERE u.lead_id = given.lead_id AND u.erased_at IS NULL
""")


async def keep_facts(connection: AsyncConnection, events: Sequence[Envelope]) -> None:
    """Store what these events say, in any order and however often."""
    said = [(event.id, event.data) for event in events if isinstance(event.data, DispositionRecorded)]
    if said:
        dispositions = {
            "assignment_ids": [data.assignment_id for _, data in said],
            "lead_ids": [data.lead_id for _, data in said],
            "dispositions": [data.disposition for _, data in said],
            "reasons": [data.reason for _, data in said],
            "recorded_ats": [data.recorded_at for _, data in said],
            "event_ids": [event_id for event_id, _ in said],
        }
        await connection.execute(_DISPOSE, dispositions)
    unrouted = [event.data for event in events if isinstance(event.data, LeadUnrouted)]
    if unrouted:
        leads = {
            "lead_ids": [data.lead_id for data in unrouted],
            "sources": [data.source for data in unrouted],
            "channels": [data.channel for data in unrouted],
            "campaigns": [data.campaign for data in unrouted],
            "teams": [data.team for data in unrouted],
            "received_ats": [data.received_at for data in unrouted],
            "unrouted_ats": [data.unrouted_at for data in unrouted],
        }
        await connection.execute(_HOLD, leads)
    made = [event.data for event in events if isinstance(event.data, AssignmentMade)]
    if made:
        owned = {
            "lead_ids": [data.lead_id for data in made],
            "assigned_ats": [data.assigned_at for data in made],
        }
        await connection.execute(_GIVE, owned)
    erased = [event.data for event in events if isinstance(event.data, LeadErased)]
    if erased:
        gone = {
            "lead_ids": [data.lead_id for data in erased],
            "erased_ats": [data.erased_at for data in erased],
        }
        await connection.execute(_ERASE, gone)
