"""Touches: leads that joined another one of the same person, for which their own source keeps its credit."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import Envelope, LeadJoined, LeadSeparated

# The newest of both moments counts, in whatever order they are heard of.
_JOIN = text("""
    INSERT INTO touches AS known (lead_id, joined, source, channel, campaign, received_at, joined_at)
    SELECT DISTINCT ON (lead_id) *
    FROM unnest(
        CAST(:lead_ids AS uuid[]), CAST(:joined AS uuid[]), CAST(:sources AS text[]), CAST(:channels AS text[]),
        CAST(:campaigns AS text[]), CAST(:received_ats AS timestamptz[]), CAST(:joined_ats AS timestamptz[])
    ) AS given (lead_id, joined, source, channel, campaign, received_at, joined_at)
    ORDER BY lead_id, joined_at DESC, joined DESC
    ON CONFLICT (lead_id) DO UPDATE SET
        joined = excluded.joined, source = excluded.source, channel = excluded.channel, campaign = excluded.campaign,
        received_at = excluded.received_at, joined_at = excluded.joined_at
    WHERE known.joined_at IS NULL OR (known.joined_at, known.joined) < (excluded.joined_at, excluded.joined)
""")
_SEPARATE = text("""
    INSERT INTO touches AS known (lead_id, separated_at)
    SELECT lead_id, max(separated_at)
    FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:separated_ats AS timestamptz[])) AS given (lead_id, separated_at)
    GROUP BY lead_id ORDER BY lead_id
    ON CONFLICT (lead_id) DO UPDATE SET separated_at = greatest(known.separated_at, excluded.separated_at)
""")


async def keep_touches(connection: AsyncConnection, events: Sequence[Envelope]) -> None:
    """Store what these events say of touches, in any order and however often."""
    joined = [event.data for event in events if isinstance(event.data, LeadJoined)]
    if joined:
        touches = {
            "lead_ids": [data.lead_id for data in joined],
            "joined": [data.joined for data in joined],
            "sources": [data.source for data in joined],
            "channels": [data.channel for data in joined],
            "campaigns": [data.campaign for data in joined],
            "received_ats": [data.received_at for data in joined],
            "joined_ats": [data.joined_at for data in joined],
        }
        await connection.execute(_JOIN, touches)
    separated = [event.data for event in events if isinstance(event.data, LeadSeparated)]
    if separated:
        moments = {
            "lead_ids": [data.lead_id for data in separated],
            "separated_ats": [data.separated_at for data in separated],
        }
        await connection.execute(_SEPARATE, moments)
