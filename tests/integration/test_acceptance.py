"""What accepting promises, against the real PostgreSQL."""

import asyncio
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase

from relance import faults
from relance.clock import utc_now
from relance.database import Database
from relance.events import CallDetails, Contact
from relance.ids import LeadId, new_id
from relance_ingest.acceptance import Acceptance, Accepted, KeyUsedTwice, NewLead, release
from relance_ingest.acceptance.lead_store import LeadStore
from relance_ingest.acceptance.submission import submission
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.spam.quarantine import Decision, State, decide
from relance_local.conditions import wait_until
from relance_local.services import INGEST


@pytest.fixture
def ingest_database(open_database: OpenDatabase) -> Database:
    """Ingest's tables."""
    return open_database(INGEST)


@pytest.fixture
def acceptance(ingest_database: Database) -> Acceptance:
    """Acceptance without a relay, so that the outbox can be looked at."""
    return Acceptance(ingest_database, new_id, utc_now, lambda: None, pseudonyms=Pseudonyms())


def a_lead(*, said: str = "hello", source: str = "website", **how: Any) -> NewLead:
    contact = Contact(email="maria@example.com")
    return NewLead(source=source, channel="form", campaign=None, contact=contact, fields={"said": said}, **how)


async def told(database: Database) -> list[tuple[str, str]]:
    """Every event in the outbox: its kind and what the lead says."""
    async with database.transaction() as connection:
        rows = (await connection.execute(text("SELECT type, payload FROM outbox ORDER BY id"))).all()
    return [(row.type.split(".")[2], json.loads(row.payload)["fields"]["said"]) for row in rows]


async def stored(database: Database) -> list[dict[str, Any]]:
    """Every lead, oldest first."""
    async with database.transaction() as connection:
        return [dict(row) for row in (await connection.execute(text("SELECT * FROM leads ORDER BY id"))).mappings()]


async def test_a_quarantined_lead_is_kept_and_told_once_it_is_released(
    acceptance: Acceptance, ingest_database: Database
) -> None:
    """Released twice it is told once, with what it says by then."""
    suspect: dict[str, Any] = {"idempotency_key": "k", "suspicions": ("honeypot", "too fast"), "revisable": True}
    accepted = await acceptance.accept(a_lead(**suspect))
    await acceptance.accept(a_lead(said="more", **suspect))
    assert await told(ingest_database) == []
    (lead,) = await stored(ingest_database)
    assert (lead["id"], lead["suspicions"]) == (accepted.lead_id, ["honeypot", "too fast"])
    released: list[list[LeadId]] = []
    for _ in range(2):
        async with ingest_database.transaction() as connection:
            released.append(await release(connection, [accepted.lead_id]))
    assert released == [[accepted.lead_id], []]
    assert await told(ingest_database) == [("received", "more")]
    await acceptance.accept(a_lead(said="and more", **suspect))
    assert await told(ingest_database) == [("received", "more"), ("revised", "and more")]


async def test_a_lead_whom_nobody_could_reach_is_told_once_somebody_can(
    acceptance: Acceptance, ingest_database: Database
) -> None:
    """As the person that it is now known to be; what was held back for more than that waits on for an operator."""
    nobody: dict[str, Any] = {"revisable": True, "contact": Contact(name="Maria")}
    reasons = {"a": ("unreachable",), "b": ("unreachable", "honeypot"), "c": ("unreachable",)}
    leads = {}
    for key, suspicions in reasons.items():
        accepted = await acceptance.accept(replace(a_lead(idempotency_key=key, suspicions=suspicions), **nobody))
        leads[key] = accepted.lead_id
    async with ingest_database.transaction() as connection:
        await decide(connection, [leads["c"]], Decision(State.DISCARDED, "oona", "casino"))
    for said in ("here I am", "and more"):
        for key in reasons:
            await acceptance.accept(a_lead(said=said, idempotency_key=key, revisable=True))
    assert await told(ingest_database) == [("received", "here I am"), ("revised", "and more")]
    first, *others = await stored(ingest_database)
    assert first["data"]["identity_key"] == Pseudonyms().email("maria@example.com")
    assert [each["released_at"] is None for each in (first, *others)] == [False, True, True]


async def test_a_revision_locks_leads_in_the_order_in_which_a_release_does(ingest_database: Database) -> None:
    """Whoever waits for the first lead holds none behind it: two of them cannot wait for each other."""
    store = LeadStore(ingest_database, new_id, utc_now, Pseudonyms())
    leads = [a_lead(idempotency_key=key, revisable=True) for key in ("z", "a")]
    first, second = (submission(lead, utc_now(), new_id, Pseudonyms()) for lead in leads)
    await store.add([first, second])
    more = [replace(each, fields={"said": "more"}) for each in leads]
    async with ingest_database.transaction() as connection:
        await connection.execute(text("SELECT FROM leads WHERE id = :id FOR UPDATE"), {"id": first.id})
        both = [submission(each, utc_now(), new_id, Pseudonyms()) for each in more]
        revising = asyncio.create_task(store.repeat(both))
        await _somebody_waits(ingest_database)
        await connection.execute(text("SELECT FROM leads WHERE id = :id FOR UPDATE NOWAIT"), {"id": second.id})
    assert [isinstance(each, Accepted) and each.revised for each in await revising] == [True, True]


async def _somebody_waits(database: Database) -> None:
    waiting = text("""
        SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    """)

    async def somebody() -> bool:
        async with database.transaction() as connection:
            return bool((await connection.execute(waiting)).scalar_one())

    await wait_until(somebody, what="somebody to wait for a lock", limit=timedelta(seconds=10))


async def test_a_revision_is_the_same_lead_saying_more(acceptance: Acceptance, ingest_database: Database) -> None:
    """Sent again it is a repetition; the lead keeps its id and the time it came."""
    first = await acceptance.accept(a_lead(idempotency_key="call", revisable=True))
    (before,) = await stored(ingest_database)
    more = a_lead(said="answered", idempotency_key="call", revisable=True)
    assert await acceptance.accept(more) == Accepted(first.lead_id, repeated=True, revised=True)
    assert await acceptance.accept(more) == Accepted(first.lead_id, repeated=True)
    (after,) = await stored(ingest_database)
    assert after["data"] == {**before["data"], "fields": {"said": "answered"}}
    assert after["revised_at"] > after["received_at"] == before["received_at"]
    assert await told(ingest_database) == [("received", "hello"), ("revised", "answered")]


async def test_a_key_of_another_submission_is_refused_unless_it_may_revise(
    acceptance: Acceptance, ingest_database: Database
) -> None:
    """Nothing of it is stored."""
    await acceptance.accept(a_lead(idempotency_key="k"))
    with pytest.raises(KeyUsedTwice):
        await acceptance.accept(a_lead(said="something else", idempotency_key="k"))
    assert await told(ingest_database) == [("received", "hello")]


async def test_a_row_that_cannot_be_stored_harms_no_neighbour(
    acceptance: Acceptance, ingest_database: Database
) -> None:
    """Keys that no text column can hold, and one that has no bytes, share a transaction with others."""
    keys = ["a", "b\x00", "c", "e\ud800", "d"]
    answers = await asyncio.gather(
        *(acceptance.accept(a_lead(said=key[0], idempotency_key=key)) for key in keys), return_exceptions=True
    )
    assert [isinstance(answer, Accepted) for answer in answers] == [True, False, True, False, True]
    assert not any(faults.is_transient(answer) for answer in answers if isinstance(answer, Exception))
    assert sorted(await told(ingest_database)) == [("received", said) for said in "acd"]


async def test_a_locked_lead_holds_up_no_new_one(acceptance: Acceptance, ingest_database: Database) -> None:
    """Repetitions of it wait; who comes with them does not."""
    first = await acceptance.accept(a_lead(idempotency_key="k"))
    async with ingest_database.transaction() as connection:
        await connection.execute(text("SELECT FROM leads FOR UPDATE"))
        again = asyncio.create_task(acceptance.accept(a_lead(idempotency_key="k")))
        new = await acceptance.accept(a_lead())
        assert not new.repeated
        assert not again.done()
    assert await again == Accepted(first.lead_id, repeated=True)


AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
CALLS = [
    CallDetails(
        call_id="1", status=status, called_number="+493012345678", started_at=AT, duration=timedelta(seconds=taken)
    )
    for status, taken in (("missed", 0), ("voicemail", 12))
]
SUBMISSIONS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.builds(
        dict,
        said=st.sampled_from("xyz"),
        idempotency_key=st.sampled_from(["a", "b", "c", None]),
        revisable=st.booleans(),
        suspicions=st.sampled_from([(), ("honeypot",), ("unreachable",)]),
        call=st.sampled_from([None, *CALLS]),
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(submissions=SUBMISSIONS)
async def test_what_is_committed_together_is_as_if_it_had_come_one_by_one(
    ingest_database: Database, submissions: list[dict[str, Any]]
) -> None:
    """Answers, what is stored, and what is told of each lead; the oracle takes one after the other."""
    acceptance = Acceptance(ingest_database, new_id, utc_now, lambda: None, pseudonyms=Pseudonyms(), at_once=1)
    together, one_by_one = uuid.uuid4().hex, uuid.uuid4().hex
    found = await asyncio.gather(
        *(acceptance.accept(a_lead(source=together, **how)) for how in submissions), return_exceptions=True
    )
    expected: list[Accepted | BaseException] = []
    for how in submissions:
        expected += await asyncio.gather(acceptance.accept(a_lead(source=one_by_one, **how)), return_exceptions=True)
    assert _in_order(found) == _in_order(expected)
    assert await _books(ingest_database, together, found) == await _books(ingest_database, one_by_one, expected)


def _in_order(answers: list[Accepted | BaseException]) -> list[object]:
    """Answers without ids: the place at which the same lead was first answered instead."""
    leads = [answer.lead_id if isinstance(answer, Accepted) else None for answer in answers]
    return [
        (leads.index(answer.lead_id), answer.repeated, answer.revised) if isinstance(answer, Accepted) else type(answer)
        for answer in answers
    ]


async def _books(database: Database, source: str, answers: list[Accepted | BaseException]) -> list[object]:
    """What each answered lead says by now, why it is held back, and what was told of it, in order."""
    async with database.transaction() as connection:
        leads = (await connection.execute(text("SELECT * FROM leads WHERE source = :source"), {"source": source})).all()
        events = (await connection.execute(text("SELECT type, payload FROM outbox ORDER BY id"))).all()
    books: dict[uuid.UUID, tuple[object, ...]] = {}
    for lead in leads:
        payloads = [(event.type, json.loads(event.payload)) for event in events]
        mine = [(type_, data["fields"]) for type_, data in payloads if data["lead_id"] == str(lead.id)]
        books[lead.id] = lead.data["fields"], lead.data["call"], lead.suspicions, lead.revised_at is None, mine
    assert len(books) == len({answer.lead_id for answer in answers if isinstance(answer, Accepted)})
    return [books[answer.lead_id] for answer in answers if isinstance(answer, Accepted)]
