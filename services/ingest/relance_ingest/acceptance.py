"""Accepting: a lead and its event are committed in one statement, before anybody is told that it was accepted."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox, tracing
from relance.clock import Clock
from relance.database import Database
from relance.events import CallDetails, Contact, Envelope, LeadReceived
from relance.events.data import Channel
from relance.ids import EventId, LeadId, NewId
from relance_ingest import metrics
from relance_ingest.domain.contact_details import identity_key

SOURCE = "relance/ingest"


@dataclass(frozen=True)
class NewLead:
    """A valid submission. Without an idempotency key every submission is a lead of its own."""

    source: str
    channel: Channel
    campaign: str | None
    contact: Contact
    fields: dict[str, str]
    call: CallDetails | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Accepted:
    """The lead is committed; `repeated` when it had been before."""

    lead_id: LeadId
    repeated: bool


class KeyUsedTwice(ValueError):
    """The idempotency key came with another submission before. Nothing was stored."""


_INSERT = text("""
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:ids AS uuid[]), CAST(:sources AS text[]), CAST(:channels AS text[]), CAST(:campaigns AS text[]),
            CAST(:keys AS text[]), CAST(:fingerprints AS bytea[]), CAST(:occurred_ats AS timestamptz[]),
            CAST(:aggregate_types AS text[]), CAST(:aggregate_ids AS text[]), CAST(:types AS text[]),
            CAST(:payloads AS text[]), CAST(:headers AS text[])
        ) WITH ORDINALITY AS given (
            id, source, channel, campaign, idempotency_key, fingerprint, occurred_at,
            aggregate_type, aggregate_id, type, payload, headers, place
        )
    ),
    added AS (
        INSERT INTO leads (id, source, channel, campaign, idempotency_key, fingerprint, received_at, data)
        SELECT id, source, channel, campaign, idempotency_key, fingerprint, occurred_at, CAST(payload AS jsonb)
        FROM given ORDER BY source, idempotency_key
        ON CONFLICT (source, idempotency_key) DO NOTHING
        RETURNING id
    ),
    told AS (
        INSERT INTO outbox (aggregate_type, aggregate_id, type, payload, headers, occurred_at)
        SELECT aggregate_type, aggregate_id, type, payload, CAST(headers AS jsonb), occurred_at
        FROM given JOIN added USING (id) ORDER BY place
    )
    SELECT id FROM added
""")
_EARLIER = text("""
    SELECT l.id, l.source, l.idempotency_key, l.fingerprint
    FROM unnest(CAST(:sources AS text[]), CAST(:keys AS text[])) AS given (source, idempotency_key)
    JOIN leads l USING (source, idempotency_key)
""")


class Acceptance:
    """Takes submissions into the database."""

    def __init__(self, database: Database, new_id: NewId, clock: Clock, on_committed: Callable[[], None]) -> None:
        self._database = database
        self._new_id = new_id
        self._clock = clock
        self._on_committed = on_committed

    async def accept(self, lead: NewLead) -> Accepted:
        """Commit one submission.

        Raises:
            KeyUsedTwice: its idempotency key belongs to another submission.
        """
        with metrics.ACCEPT_SECONDS.time():
            async with self._database.transaction() as connection:
                (outcome,) = await self._insert(connection, [lead])
        if isinstance(outcome, KeyUsedTwice):
            raise outcome
        counter = metrics.REPEATED if outcome.repeated else metrics.ACCEPTED
        counter.labels(lead.source, lead.channel).inc()
        if not outcome.repeated:
            self._on_committed()
        return outcome

    async def _insert(self, connection: AsyncConnection, leads: Sequence[NewLead]) -> list[Accepted | KeyUsedTwice]:
        events = [self._event(lead) for lead in leads]
        ids = [event.data.lead_id for event in events if isinstance(event.data, LeadReceived)]
        keys = [lead.idempotency_key or str(lead_id) for lead, lead_id in zip(leads, ids, strict=True)]
        prints = [fingerprint(lead) for lead in leads]
        columns = {
            "ids": ids,
            "sources": [lead.source for lead in leads],
            "channels": [lead.channel for lead in leads],
            "campaigns": [lead.campaign for lead in leads],
            "keys": keys,
            "fingerprints": prints,
        }
        added = set((await connection.execute(_INSERT, columns | outbox.columns(events))).scalars())
        if len(added) == len(leads):
            return [Accepted(lead_id, repeated=False) for lead_id in ids]
        earlier = {
            (row.source, row.idempotency_key): row
            for row in await connection.execute(_EARLIER, {"sources": columns["sources"], "keys": keys})
        }
        outcomes: list[Accepted | KeyUsedTwice] = []
        for lead, lead_id, key, print_ in zip(leads, ids, keys, prints, strict=True):
            before = earlier[lead.source, key]
            if before.fingerprint != print_:
                outcomes.append(KeyUsedTwice(key))
            else:
                outcomes.append(Accepted(LeadId(before.id), repeated=lead_id not in added))
        return outcomes

    def _event(self, lead: NewLead) -> Envelope:
        now = self._clock()
        identity = identity_key(lead.contact.email, lead.contact.phone)
        received = LeadReceived(
            lead_id=LeadId(self._new_id()),
            source=lead.source,
            channel=lead.channel,
            campaign=lead.campaign,
            received_at=now,
            identity_key=identity,
            contact=lead.contact,
            fields=lead.fields,
            call=lead.call,
        )
        return Envelope(
            id=EventId(self._new_id()),
            source=SOURCE,
            subject=identity,
            time=now,
            traceparent=tracing.current(),
            data=received,
        )


def fingerprint(lead: NewLead) -> bytes:
    """What makes two submissions the same: everything that was said, whatever the order of fields."""
    said = {
        "channel": lead.channel,
        "campaign": lead.campaign,
        "contact": lead.contact.model_dump(mode="json"),
        "fields": lead.fields,
        "call": lead.call.model_dump(mode="json") if lead.call else None,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
