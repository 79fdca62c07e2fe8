"""What repetitions and the quarantine promise, against the real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase

from relance.clock import utc_now
from relance.database import Database
from relance.events import Contact
from relance.ids import LeadId, new_id
from relance_ingest import metrics
from relance_ingest.acceptance import Acceptance, NewLead
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.domain.suspicion import Suspicion
from relance_ingest.spam import quarantine
from relance_ingest.spam.quarantine import Decision, Filter, State, Waiting
from relance_ingest.spam.repetitions import Repetitions
from relance_local.services import INGEST

HOUR = timedelta(hours=1)
RELEASE = Decision(State.RELEASED, "oona", None)
DISCARD = Decision(State.DISCARDED, "oona", "casino")


@pytest.fixture
def ingest_database(open_database: OpenDatabase) -> Database:
    """Ingest's tables."""
    return open_database(INGEST)


async def quarantined(database: Database, *suspicions: str, source: str = "website") -> LeadId:
    """A lead that was suspected so."""
    acceptance = Acceptance(database, new_id, utc_now, lambda: None, pseudonyms=Pseudonyms())
    lead = NewLead(source, "form", None, Contact(email="maria@example.com"), {}, suspicions=suspicions)
    return (await acceptance.accept(lead)).lead_id


async def decide(database: Database, lead_id: LeadId, decision: Decision) -> list[LeadId]:
    async with database.transaction() as connection:
        return await quarantine.decide(connection, [lead_id], decision)


async def scalar(database: Database, query: str) -> Any:
    async with database.transaction() as connection:
        return (await connection.execute(text(query))).scalar_one()


async def test_the_same_thing_is_counted_by_different_people_over_all_replicas(open_database: OpenDatabase) -> None:
    """Whoever repeats themselves is one; another thing is another."""
    here, there = Repetitions(open_database(INGEST)), Repetitions(open_database(INGEST))
    assert await here.others({b"text": HOUR}, "anna") == {b"text": 0}
    assert await there.others({b"text": HOUR, b"token": HOUR}, "anna") == {b"text": 0, b"token": 0}
    assert await there.others({b"text": HOUR}, "ben") == {b"text": 1}
    assert await here.others({b"text": HOUR, b"token": HOUR}, "chloe") == {b"text": 2, b"token": 1}
    assert await here.others({}, "anna") == {}


async def test_what_was_sent_before_the_window_does_not_count_and_is_forgotten(ingest_database: Database) -> None:
    """And what is kept names nobody: neither the thing nor the person can be read from it, nor joined."""
    repetitions = Repetitions(ingest_database)
    await repetitions.others({b"old": timedelta(0), b"new": HOUR}, "anna")
    assert await repetitions.others({b"old": timedelta(0), b"new": HOUR}, "ben") == {b"old": 0, b"new": 1}
    assert await scalar(ingest_database, "SELECT count(DISTINCT person) FROM sightings") == 4
    await repetitions.forget()
    assert await scalar(ingest_database, "SELECT count(*) FROM sightings WHERE thing = 'old'") == 0
    assert await scalar(ingest_database, "SELECT count(*) FROM sightings") == 2


async def test_many_at_once_neither_deadlock_nor_lose_a_sight(ingest_database: Database) -> None:
    """They note the same things in one order."""
    repetitions = Repetitions(ingest_database)
    things = {b"a": HOUR, b"b": HOUR, b"c": HOUR}
    backwards = dict(reversed(things.items()))
    await asyncio.gather(*(repetitions.others(things if n % 2 else backwards, f"person-{n % 10}") for n in range(40)))
    assert await repetitions.others(things, "somebody else") == {b"a": 10, b"b": 10, b"c": 10}


async def test_a_decision_is_made_once_and_kept_with_who_made_it(ingest_database: Database) -> None:
    """Released by two at once, the lead is told once; discarded first, it may still be released, and not after."""
    lead_id = await quarantined(ingest_database, "honeypot")
    assert await decide(ingest_database, lead_id, DISCARD) == [lead_id]
    assert await decide(ingest_database, lead_id, DISCARD) == []
    assert await scalar(ingest_database, "SELECT count(*) FROM outbox") == 0
    both = await asyncio.gather(*(decide(ingest_database, lead_id, RELEASE) for _ in range(2)))
    assert sorted(both, key=len) == [[], [lead_id]]
    assert await decide(ingest_database, lead_id, DISCARD) == []
    assert await scalar(ingest_database, "SELECT count(*) FROM outbox") == 1
    decisions = "SELECT string_agg(decision || ' ' || decided_by, ', ' ORDER BY id) FROM quarantine_decisions"
    assert await scalar(ingest_database, decisions) == "discarded oona, released oona"


async def test_a_lead_that_was_never_suspected_is_not_decided_on(ingest_database: Database) -> None:
    """It has been told already."""
    lead_id = await quarantined(ingest_database)
    assert await decide(ingest_database, lead_id, RELEASE) == []
    assert await decide(ingest_database, lead_id, DISCARD) == []


async def test_the_quarantine_is_read_by_pages_newest_first_and_filtered(ingest_database: Database) -> None:
    """Nothing is left out, and nothing comes twice."""
    ids = [await quarantined(ingest_database, "honeypot", source=source) for source in ("website", "ads") * 3]
    await quarantined(ingest_database)
    await decide(ingest_database, ids[0], DISCARD)

    async def read(which: Filter) -> list[LeadId]:
        found: list[LeadId] = []
        before: LeadId | None = None
        while True:
            async with ingest_database.transaction() as connection:
                rows = await quarantine.page(connection, which, before=before, limit=2)
            found += [row.id for row in rows]
            if not rows:
                return found
            before = rows[-1].id

    assert await read(Filter()) == ids[::-1]
    assert await read(Filter(State.WAITING)) == ids[:0:-1]
    assert await read(Filter(State.DISCARDED)) == [ids[0]]
    assert await read(Filter(source="ads")) == ids[5::-2]
    assert await read(Filter(suspicion=Suspicion.HONEYPOT, source="nobody")) == []
    assert await read(Filter(suspicion=Suspicion.DISPOSABLE_EMAIL)) == []


async def test_what_waits_is_found_without_reading_all_that_was_ever_decided(ingest_database: Database) -> None:
    """`discard --all` takes the oldest 1000 at a time; each step read again all that was decided before."""
    suspected = """
        INSERT INTO leads (
            id, source, channel, idempotency_key, fingerprint, received_at, data, person_keys, suspicions, discarded_at
        )
        SELECT gen_random_uuid(), 'website', 'form', n, '', now(), '{}', '{}', '{honeypot}',
            CASE WHEN n > 20 THEN now() END
        FROM generate_series(1, 20000) n
    """
    async with ingest_database.transaction() as connection:
        await connection.execute(text(suspected))
        await connection.execute(text("ANALYZE leads"))
        for statement, more in (
            (quarantine._IDS[State.WAITING], {}),
            (quarantine._PAGE[State.WAITING], {"before": None}),
        ):
            given = {"source": None, "suspicion": None, "limit": 1000} | more
            explained = text(f"EXPLAIN (ANALYZE, TIMING off) {statement.text}")
            plan = "\n".join((await connection.execute(explained, given)).scalars())
            assert len((await connection.execute(statement, given)).all()) == 20
            assert "leads_waiting" in plan, plan
            assert "Rows Removed by Filter" not in plan, plan


async def test_what_waits_is_measured_until_it_is_decided(ingest_database: Database) -> None:
    """By source, with the age of the oldest."""
    waiting = Waiting(ingest_database, timedelta(seconds=1))
    lead_id = await quarantined(ingest_database, "honeypot", source="measured")
    await waiting.count()
    assert metrics.QUARANTINE_WAITING.labels("measured")._value.get() == 1
    assert metrics.QUARANTINE_OLDEST.labels("measured")._value.get() > 0
    await decide(ingest_database, lead_id, DISCARD)
    await waiting.count()
    assert metrics.QUARANTINE_WAITING.labels("measured")._value.get() == 0
    assert metrics.QUARANTINE_DECISIONS.labels("measured", "discarded")._value.get() == 1
