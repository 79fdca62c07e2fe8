"""Writing events, in the transaction that makes what they tell of."""

import json
from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import sealed
from relance.events import TOPICS, Envelope
from relance.personal_data import PersonalData

# Rows take their ids in the order given: an event that follows another in the list follows it on the topic. Their time
# is that of the writing, from which the outbox's age counts; the event's own may be long past.
APPEND = """
    INSERT INTO outbox (aggregate_type, aggregate_id, type, payload, headers, occurred_at)
    SELECT aggregate_type, aggregate_id, type, payload, CAST(headers AS jsonb), now()
    FROM unnest(
        CAST(:aggregate_types AS text[]), CAST(:aggregate_ids AS text[]), CAST(:types AS text[]),
        CAST(:payloads AS text[]), CAST(:headers AS text[])
    ) WITH ORDINALITY AS given (aggregate_type, aggregate_id, type, payload, headers, place)
    ORDER BY place
"""


def columns(events: Sequence[Envelope], personal_data: PersonalData) -> dict[str, list[object]]:
    """The outbox rows of these events, as the arrays that `APPEND` takes.

    `aggregate_type` is the topic and `aggregate_id` the Kafka key, as Debezium's outbox router reads them (not
    sealed ones: only `OutboxRelay` opens those).
    """
    return {
        "aggregate_types": [TOPICS[type(event.data)].value for event in events],
        "aggregate_ids": [event.subject for event in events],
        "types": [event.data.TYPE for event in events],
        "payloads": [personal_data.seal_document(event.data.model_dump_json()) for event in events],
        "headers": [json.dumps(event.headers()) for event in events],
    }


async def append(connection: AsyncConnection, events: Sequence[Envelope]) -> None:
    """Write events in one statement. Hold the lock on the lead's row, so that id order is commit order per lead."""
    if events:
        await connection.execute(text(APPEND), columns(events, sealed(connection)))
