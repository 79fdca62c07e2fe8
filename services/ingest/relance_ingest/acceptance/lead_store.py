"""Leads in the database, many in one transaction, each with the event that tells of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import faults, outbox
from relance.clock import Clock
from relance.database import Database, sealed
from relance.events import Envelope, LeadReceived
from relance.ids import LeadId, NewId
from relance.personal_data import PersonalData
from relance_ingest.acceptance.events import envelope, received, revised
from relance_ingest.acceptance.joining import joined
from relance_ingest.acceptance.naming import name
from relance_ingest.acceptance.new_lead import Accepted, KeyUsedTwice, NewLead
from relance_ingest.acceptance.submission import Submission
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.domain.repetitions import Repetition, repetition
from relance_ingest.domain.suspicion import mended

Outcome = Accepted | KeyUsedTwice | faults.TryLater

_SEPARATOR = "\x1f"

# Ordered by key, so that batches that share keys wait for each other instead of deadlocking; and by place, so that of
# the same key in one batch the first is the lead.
_INSERT = r"""
    WITH given AS (
        SELECT * FROM unnest(
            $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::timestamptz[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[]
        ) WITH ORDINALITY AS given (
            id, source, channel, campaign, idempotency_key, fingerprint, suspicions, received_at,
            aggregate_type, aggregate_id, type, payload, headers, person_keys, place
        )
    ),
    added AS (
        INSERT INTO leads (
            id, source, channel, campaign, idempotency_key, fingerprint, suspicions, received_at, data, person_keys
        )
        SELECT id, source, channel, campaign, idempotency_key, fingerprint,
            string_to_array(suspicions, E'\x1f'), received_at, CAST(payload AS jsonb),
            string_to_array(person_keys, E'\x1f')
        FROM given ORDER BY source, idempotency_key, place
        ON CONFLICT (source, idempotency_key) DO NOTHING
        RETURNING id
    ),
    told AS (
        INSERT INTO outbox (aggregate_type, aggregate_id, type, payload, headers, occurred_at)
        SELECT aggregate_type, aggregate_id, type, payload, CAST(headers AS jsonb), now()
        FROM given JOIN added USING (id) WHERE suspicions = '' ORDER BY place
    )
    SELECT id FROM added
"""
# Locked in the order in which a release locks them.
_STORED = text("""
    SELECT id, source, channel, idempotency_key, fingerprint, data, received_at, suspicions,
        suspicions <> '{}' AND released_at IS NULL AS quarantined, discarded_at IS NOT NULL AS discarded,
        person_keys IS NULL AS unnamed
    FROM leads
    WHERE (source, idempotency_key) IN (
        SELECT * FROM unnest(CAST(:sources AS text[]), CAST(:keys AS text[]))
    )
    ORDER BY id FOR UPDATE
""")
_REVISE = text(r"""
    UPDATE leads
    SET campaign = given.campaign, fingerprint = given.fingerprint,
        data = CAST(given.data AS jsonb), revised_at = given.at,
        released_at = CASE WHEN given.mended THEN given.at ELSE leads.released_at END,
        person_keys = leads.person_keys || ARRAY(
            SELECT unnest(string_to_array(given.person_keys, E'\x1f')) EXCEPT SELECT unnest(leads.person_keys)
        )
    FROM unnest(
        CAST(:sources AS text[]), CAST(:keys AS text[]), CAST(:campaigns AS text[]),
        CAST(:fingerprints AS bytea[]), CAST(:data AS text[]), CAST(:ats AS timestamptz[]),
        CAST(:mendeds AS boolean[]), CAST(:person_keys AS text[])
    ) AS given (source, idempotency_key, campaign, fingerprint, data, at, mended, person_keys)
    WHERE leads.source = given.source AND leads.idempotency_key = given.idempotency_key
""")


@dataclass(frozen=True)
class _Revision:
    submission: Submission
    event: Envelope
    told: bool
    mended: bool
    """It says what the lead was held back for the want of: the lead is told now for the first time."""


class LeadStore:
    """Keeps leads. What is told of each lead stands in the outbox in the order in which it was committed."""

    def __init__(self, database: Database, new_id: NewId, clock: Clock, pseudonyms: Pseudonyms) -> None:
        self._database = database
        self._new_id = new_id
        self._clock = clock
        self._pseudonyms = pseudonyms

    async def add(self, submissions: Sequence[Submission]) -> list[bool]:
        """Commit those whose key is new, in one statement; says of each whether it was."""
        async with self._database.driver() as connection:
            rows = await connection.fetch(_INSERT, *_columns(submissions, self._database.personal_data))
        if len(rows) == len(submissions):
            return [True] * len(submissions)
        added = {row["id"] for row in rows}
        return [submission.id in added for submission in submissions]

    async def repeat(self, again: Sequence[Submission]) -> list[Outcome]:
        """Commit what those change whose keys are known; what became of each, as if they had come one by one."""
        async with self._database.transaction() as connection:
            stored = await _stored(connection, again)
            outcomes: dict[LeadId, Outcome] = {}
            revisions: list[_Revision] = []
            for key, same in groupby(sorted(again, key=_key), key=_key):
                if (lead := stored.get(key)) is None:
                    outcomes |= {each.id: faults.TryLater("the lead of this key was erased just now") for each in same}
                    continue
                in_turn = list(_in_turn(lead, list(same)))
                outcomes |= {each.id: _outcome(LeadId(lead.id), found) for each, found in in_turn}
                saying_more = [each for each, found in in_turn if found is Repetition.REVISION]
                revisions += self._revisions(lead, saying_more)
            if revisions:
                unnamed = [LeadId(lead.id) for lead in stored.values() if lead.unnamed]
                if unnamed:
                    await name(connection, unnamed)
                await _revise(connection, revisions)
        return [outcomes[submission.id] for submission in again]

    def _revisions(self, lead: Row[Any], saying_more: Iterable[Submission]) -> Iterator[_Revision]:
        held, stored = lead.quarantined, lead.data
        for submission in saying_more:
            now, said = self._clock(), submission.lead
            mends = held and not lead.discarded and mended(lead.suspicions, said.suspicions)
            held = held and not mends
            data = (
                received(said, LeadId(lead.id), lead.received_at, self._pseudonyms)
                if mends
                else revised(stored, said, now, self._pseudonyms)
            )
            stored = {**stored, "identity_key": data.identity_key}
            event = envelope(data, now, submission.event.traceparent, self._new_id)
            yield _Revision(submission, event, told=not held, mended=mends)


def _key(submission: Submission) -> tuple[str, str]:
    return submission.key


def _in_turn(lead: Row[Any], submissions: Sequence[Submission]) -> Iterator[tuple[Submission, Repetition]]:
    """As if they had come one after the other: a revision is what the lead says from then on."""
    known: LeadReceived | NewLead = LeadReceived.model_validate(lead.data)
    last = lead.fingerprint
    for given in submissions:
        # Whoever chooses keys could else put a call in a form's place.
        revisable = given.lead.revisable and given.lead.channel == lead.channel
        each = given.saying(joined(known, given.lead)) if revisable else given
        found = repetition(last, each.fingerprint, revisable=revisable)
        if found is Repetition.REVISION:
            known, last = each.lead, each.fingerprint
        yield each, found


def _outcome(lead_id: LeadId, repetition: Repetition) -> Outcome:
    if repetition is Repetition.OTHER:
        return KeyUsedTwice()
    return Accepted(lead_id, repeated=True, revised=repetition is Repetition.REVISION)


def _columns(submissions: Sequence[Submission], personal_data: PersonalData) -> list[list[Any]]:
    events = outbox.columns([each.event for each in submissions], personal_data)
    return [
        [each.id for each in submissions],
        [each.lead.source for each in submissions],
        [each.lead.channel for each in submissions],
        [each.lead.campaign for each in submissions],
        [each.key[1] for each in submissions],
        [each.fingerprint for each in submissions],
        [_SEPARATOR.join(each.lead.suspicions) for each in submissions],
        [each.event.time for each in submissions],
        events["aggregate_types"],
        events["aggregate_ids"],
        events["types"],
        events["payloads"],
        events["headers"],
        [_SEPARATOR.join(each.person_keys) for each in submissions],
    ]


async def _stored(connection: AsyncConnection, submissions: Sequence[Submission]) -> dict[tuple[str, str], Row[Any]]:
    keys = {submission.key for submission in submissions}
    given = {"sources": [source for source, _ in keys], "keys": [key for _, key in keys]}
    return {(row.source, row.idempotency_key): row for row in await connection.execute(_STORED, given)}


async def _revise(connection: AsyncConnection, revisions: Sequence[_Revision]) -> None:
    latest = list({revision.submission.key: revision for revision in revisions}.values())
    mended_keys = {each.submission.key for each in revisions if each.mended}
    columns = {
        "sources": [each.submission.key[0] for each in latest],
        "keys": [each.submission.key[1] for each in latest],
        "campaigns": [each.submission.lead.campaign for each in latest],
        "fingerprints": [each.submission.fingerprint for each in latest],
        "data": [
            sealed(connection).seal_document(each.event.data.model_dump_json(exclude={"revised_at"})) for each in latest
        ],
        "ats": [each.event.time for each in latest],
        "mendeds": [each.submission.key in mended_keys for each in latest],
        "person_keys": [_SEPARATOR.join(each.submission.person_keys) for each in latest],
    }
    await connection.execute(_REVISE, columns)
    await outbox.append(connection, [each.event for each in revisions if each.told])
