"""Leads in the database, many in one transaction, each with the event that tells of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.clock import Clock
from relance.database import Database
from relance.events import Envelope
from relance.ids import LeadId, NewId
from relance_ingest.acceptance.events import envelope, received, revised
from relance_ingest.acceptance.new_lead import Accepted, KeyUsedTwice, NewLead, fingerprint
from relance_ingest.domain.repetitions import Repetition, repetitions

Outcome = Accepted | KeyUsedTwice

_SEPARATOR = "\x1f"

# Ordered by key, so that batches that share keys wait for each other instead of deadlocking; and by place, so that of
# the same key in one batch the first is the lead.
_INSERT = text(r"""
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:ids AS uuid[]), CAST(:sources AS text[]), CAST(:channels AS text[]), CAST(:campaigns AS text[]),
            CAST(:keys AS text[]), CAST(:fingerprints AS bytea[]), CAST(:suspicions AS text[]),
            CAST(:occurred_ats AS timestamptz[]), CAST(:aggregate_types AS text[]), CAST(:aggregate_ids AS text[]),
            CAST(:types AS text[]), CAST(:payloads AS text[]), CAST(:headers AS text[])
        ) WITH ORDINALITY AS given (
            id, source, channel, campaign, idempotency_key, fingerprint, suspicions, occurred_at,
            aggregate_type, aggregate_id, type, payload, headers, place
        )
    ),
    added AS (
        INSERT INTO leads (id, source, channel, campaign, idempotency_key, fingerprint, suspicions, received_at, data)
        SELECT id, source, channel, campaign, idempotency_key, fingerprint,
            string_to_array(suspicions, E'\x1f'), occurred_at, CAST(payload AS jsonb)
        FROM given ORDER BY source, idempotency_key, place
        ON CONFLICT (source, idempotency_key) DO NOTHING
        RETURNING id
    ),
    told AS (
        INSERT INTO outbox (aggregate_type, aggregate_id, type, payload, headers, occurred_at)
        SELECT aggregate_type, aggregate_id, type, payload, CAST(headers AS jsonb), occurred_at
        FROM given JOIN added USING (id) WHERE suspicions = '' ORDER BY place
    )
    SELECT id FROM added
""")
_EARLIER = text("""
    SELECT id, source, idempotency_key, fingerprint, data, suspicions <> '{}' AND released_at IS NULL AS quarantined
    FROM leads
    WHERE (source, idempotency_key) IN (
        SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:keys AS text[]))
    )
    ORDER BY source, idempotency_key FOR UPDATE
""")
_REVISE = text("""
    UPDATE leads
    SET channel = given.channel, campaign = given.campaign, fingerprint = given.fingerprint,
        data = CAST(given.data AS jsonb) - 'revised_at', revised_at = given.at
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:channels AS text[]), CAST(:campaigns AS text[]), CAST(:fingerprints AS bytea[]),
        CAST(:data AS text[]), CAST(:ats AS timestamptz[])
    ) AS given (id, channel, campaign, fingerprint, data, at)
    WHERE leads.id = given.id
""")


@dataclass(frozen=True)
class _Submission:
    """A submission that may become the lead of this id."""

    lead: NewLead
    id: LeadId
    key: tuple[str, str]
    """Source and idempotency key."""
    fingerprint: bytes
    event: Envelope


class LeadStore:
    """Keeps leads. What is told of each lead stands in the outbox in the order in which it was committed."""

    def __init__(self, database: Database, new_id: NewId, clock: Clock) -> None:
        self._database = database
        self._new_id = new_id
        self._clock = clock

    async def keep(self, leads: Sequence[NewLead]) -> list[Outcome]:
        """Commit all of them together; what became of each, as if they had come one after the other."""
        submissions = [self._submission(lead) for lead in leads]
        async with self._database.transaction() as connection:
            added = await _insert(connection, submissions)
            outcomes: dict[LeadId, Outcome] = {lead_id: Accepted(lead_id, repeated=False) for lead_id in added}
            again = [submission for submission in submissions if submission.id not in added]
            if again:
                outcomes |= await self._repeat(connection, again)
        return [outcomes[submission.id] for submission in submissions]

    def _submission(self, lead: NewLead) -> _Submission:
        lead_id = LeadId(self._new_id())
        now = self._clock()
        event = envelope(received(lead, lead_id, now), now, self._new_id)
        key = (lead.source, lead.idempotency_key or str(lead_id))
        return _Submission(lead, lead_id, key, fingerprint(lead), event)

    async def _repeat(self, connection: AsyncConnection, again: Sequence[_Submission]) -> dict[LeadId, Outcome]:
        keys = {submission.key for submission in again}
        given = {"sources": [source for source, _ in keys], "keys": [key for _, key in keys]}
        earlier = {(row.source, row.idempotency_key): row for row in await connection.execute(_EARLIER, given)}
        outcomes: dict[LeadId, Outcome] = {}
        latest: dict[LeadId, tuple[_Submission, Envelope]] = {}
        told: list[Envelope] = []
        for key, same in groupby(sorted(again, key=_key), key=_key):
            row, submissions = earlier[key], list(same)
            found = repetitions(row.fingerprint, [(each.fingerprint, each.lead.revisable) for each in submissions])
            for submission, repetition in zip(submissions, found, strict=True):
                outcomes[submission.id] = _outcome(LeadId(row.id), repetition, key[1])
                if repetition is Repetition.REVISION:
                    now = self._clock()
                    event = envelope(revised(row.data, submission.lead, now), now, self._new_id)
                    latest[row.id] = submission, event
                    if not row.quarantined:
                        told.append(event)
        if latest:
            await _revise(connection, latest)
            await outbox.append(connection, told)
        return outcomes


def _key(submission: _Submission) -> tuple[str, str]:
    return submission.key


def _outcome(lead_id: LeadId, repetition: Repetition, key: str) -> Outcome:
    if repetition is Repetition.OTHER:
        return KeyUsedTwice(key)
    return Accepted(lead_id, repeated=True, revised=repetition is Repetition.REVISION)


async def _insert(connection: AsyncConnection, submissions: Sequence[_Submission]) -> set[LeadId]:
    columns: dict[str, list[Any]] = {
        "ids": [each.id for each in submissions],
        "sources": [each.lead.source for each in submissions],
        "channels": [each.lead.channel for each in submissions],
        "campaigns": [each.lead.campaign for each in submissions],
        "keys": [each.key[1] for each in submissions],
        "fingerprints": [each.fingerprint for each in submissions],
        "suspicions": [_SEPARATOR.join(each.lead.suspicions) for each in submissions],
    }
    events = outbox.columns([each.event for each in submissions])
    return set((await connection.execute(_INSERT, columns | events)).scalars())


async def _revise(connection: AsyncConnection, latest: dict[LeadId, tuple[_Submission, Envelope]]) -> None:
    changes = list(latest.values())
    columns = {
        "ids": list(latest),
        "channels": [submission.lead.channel for submission, _ in changes],
        "campaigns": [submission.lead.campaign for submission, _ in changes],
        "fingerprints": [submission.fingerprint for submission, _ in changes],
        "data": [event.data.model_dump_json() for _, event in changes],
        "ats": [event.time for _, event in changes],
    }
    await connection.execute(_REVISE, columns)
