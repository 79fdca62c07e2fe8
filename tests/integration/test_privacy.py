"""What erasing, exporting and keeping promise, against the real PostgreSQL and Kafka."""

import asyncio
import json
import uuid
from datetime import timedelta
from hashlib import md5
from typing import Any

import pytest
from cryptography.fernet import Fernet
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import TextClause, text
from structlog.testing import capture_logs
from tests.integration.conftest import OpenDatabase

from relance.clock import utc_now
from relance.database import Database
from relance.events import Contact, Envelope, ErasureDone
from relance.ids import ErasureId, EventId, LeadId, first_id_at, new_id
from relance.personal_data import PersonalData
from relance.resealing import reseal
from relance_ingest.acceptance import Acceptance, Accepted, NewLead, naming, release
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.privacy import Erasures, Person, ProofHandler, Retention, Standing, erasures, finding
from relance_ingest.sealed_columns import SEALED_COLUMNS
from relance_ingest.spam import quarantine
from relance_ingest.spam.quarantine import Decision, State
from relance_local.conditions import wait_until
from relance_local.services import INGEST

SECRET = Pseudonyms(b"a secret of tests, long enough for it")
MARIA = Person("maria@example.com", None)
PHONE = "+4930901820"
FORGOTTEN = "relance_ingest_references_forgotten_total"
SEALED = PersonalData([SecretStr(Fernet.generate_key().decode())])


@pytest.fixture
def ingest_database(open_database: OpenDatabase) -> Database:
    """Ingest's tables."""
    return open_database(INGEST)


def accepting(database: Database, pseudonyms: Pseudonyms = SECRET) -> Acceptance:
    return Acceptance(database, new_id, utc_now, lambda: None, pseudonyms=pseudonyms)


def erasing(database: Database) -> Erasures:
    every = timedelta(seconds=1)
    return Erasures(database, SECRET, new_id, utc_now, on_committed=lambda: None, figures_every=every)


def a_lead(email: str | None = "maria@example.com", *, phone: str | None = None, **how: Any) -> NewLead:
    contact = Contact(name="Maria Huber", email=email, phone=phone)
    return NewLead("website", "form", "spring", contact, {"said": "call me, Maria"}, **how)


async def rows(database: Database, query: str, **given: Any) -> list[dict[str, Any]]:
    async with database.transaction() as connection:
        return [dict(row) for row in (await connection.execute(text(query), given)).mappings()]


async def told(database: Database, kind: str = "relance.erasure.requested.v1") -> list[tuple[str, dict[str, Any]]]:
    """Key and data of what stands in the outbox."""
    found = await rows(database, "SELECT aggregate_id, payload FROM outbox WHERE type = :kind ORDER BY id", kind=kind)
    return [(row["aggregate_id"], json.loads(row["payload"])) for row in found]


async def erase(database: Database, person: Person = MARIA) -> Standing:
    """Erase, to the last lead."""
    work = erasing(database)
    return await standing(database, await work.request(person, "oona", None))


async def standing(database: Database, erasure_id: ErasureId) -> Standing:
    found = await erasing(database).standing(erasure_id)
    assert found is not None
    return found


async def prove(database: Database, standing: Standing, *, part: int = 0, count: int = 1) -> None:
    """What the router answers, handled as the consumer does."""
    done = ErasureDone(erasure_id=standing.id, part=part, service="router", rows={"leads": count}, erased_at=utc_now())
    event = Envelope(EventId(new_id()), "relance/router", str(standing.id), utc_now(), "", done)
    async with database.transaction() as connection:
        await ProofHandler()(connection, [event])


async def everything(database: Database) -> str:
    """All rows of all tables, as text."""
    tables = await rows(
        database,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'ingest' AND table_type = 'BASE TABLE'",
    )
    found = [await rows(database, f"SELECT CAST(t AS text) AS row FROM {each['table_name']} t") for each in tables]
    return "\n".join(row["row"] for table in found for row in table)


async def test_nothing_of_a_person_is_left_and_others_are_let_be(ingest_database: Database) -> None:
    """By e-mail and by phone, whichever a lead has, whatever its state; what is counted stays."""
    acceptance = accepting(ingest_database)
    hers = [
        await acceptance.accept(a_lead()),
        await acceptance.accept(a_lead("MARIA@example.com", phone=PHONE, idempotency_key="maria-1")),
        await acceptance.accept(a_lead(None, phone=PHONE, suspicions=("honeypot",))),
    ]
    other = await acceptance.accept(a_lead("ben@example.com"))
    async with ingest_database.transaction() as connection:
        discard = Decision(State.DISCARDED, "oona", "Maria sells casinos")
        await quarantine.decide(connection, [hers[2].lead_id], discard)
    found = await erase(ingest_database, Person("maria@example.com", PHONE))
    assert found.lead_ids == sorted(lead.lead_id for lead in hers)
    assert sum(proof.rows["quarantine_decisions"] for proof in found.proofs) == 1
    await rows(ingest_database, "DELETE FROM outbox WHERE type = 'relance.lead.received.v1' RETURNING 1")
    left = await everything(ingest_database)
    keys = Person("maria@example.com", PHONE).keys(SECRET)
    outbox = "\n".join(row["row"] for row in await rows(ingest_database, "SELECT CAST(o AS text) AS row FROM outbox o"))
    for word in ("maria@", "MARIA", PHONE, "maria-1", "sells casinos"):
        assert word not in left
    for key in keys:
        assert left.count(key) == outbox.count(key)  # the keys under which it is told
    leads = await rows(ingest_database, "SELECT * FROM leads ORDER BY id")
    assert [lead["campaign"] for lead in leads] == ["spring"] * 4
    assert [lead["erased_at"] is None for lead in leads] == [False] * 3 + [True]
    assert leads[3]["id"] == other.lead_id
    assert leads[3]["data"]["contact"]["name"] == "Maria Huber"


async def test_each_part_is_told_behind_the_leads_of_its_key(ingest_database: Database) -> None:
    """So that nobody hears of a lead after its erasure."""
    acceptance = accepting(ingest_database)
    first = await acceptance.accept(a_lead(phone=PHONE))
    second = await acceptance.accept(a_lead(None, phone=PHONE))
    third = await acceptance.accept(a_lead())
    found = await erase(ingest_database, Person("maria@example.com", PHONE))
    leads = {lead["lead_id"]: key for key, lead in await told(ingest_database, "relance.lead.received.v1")}
    parts = await told(ingest_database)
    assert sorted(part["part"] for _, part in parts) == [0, 1]
    assert {lead_id: key for key, part in parts for lead_id in part["lead_ids"]} == leads
    assert {uuid.UUID(lead_id) for lead_id in leads} == {each.lead_id for each in (first, second, third)}
    assert all(part["because"] == "request" and part["erasure_id"] == str(found.id) for _, part in parts)


async def test_an_erasure_is_complete_once_every_part_is_proven(ingest_database: Database) -> None:
    """A proof that comes twice counts once."""
    acceptance = accepting(ingest_database)
    await acceptance.accept(a_lead())
    await acceptance.accept(a_lead(None, phone=PHONE))
    found = await erase(ingest_database, Person("maria@example.com", PHONE))
    assert found.waiting_for == ["router"]
    for _ in range(2):
        await prove(ingest_database, found, part=0)
    half = await standing(ingest_database, found.id)
    assert half.waiting_for == ["router"]
    await prove(ingest_database, found, part=1)
    await prove(ingest_database, found, part=1, count=0)
    whole = await standing(ingest_database, found.id)
    assert (whole.waiting_for, {proof.service: proof.rows for proof in whole.proofs}["router"]) == ([], {"leads": 2})
    assert await rows(ingest_database, "SELECT 1 FROM erasure_parts WHERE proven_at IS NULL") == []


async def test_a_proof_of_an_unknown_erasure_stops_nothing(ingest_database: Database) -> None:
    """Of a database that was restored, for one."""
    await accepting(ingest_database).accept(a_lead())
    found = await erase(ingest_database)
    await prove(ingest_database, Standing(ErasureId(new_id()), "request", None, None, utc_now(), [], [], []))
    await prove(ingest_database, found)
    assert (await standing(ingest_database, found.id)).waiting_for == []


async def test_a_person_who_is_erased_again_has_nothing_left(ingest_database: Database) -> None:
    """It is complete at once."""
    await accepting(ingest_database).accept(a_lead())
    await erase(ingest_database)
    again = await erase(ingest_database)
    assert (again.lead_ids, again.waiting_for) == ([], [])
    assert len(await told(ingest_database)) == 1


async def test_two_who_erase_the_same_person_at_once_erase_each_lead_once(ingest_database: Database) -> None:
    """Each lead is a part of one of the two."""
    acceptance = accepting(ingest_database)
    leads = [await acceptance.accept(a_lead()) for _ in range(5)]
    both = await asyncio.gather(erase(ingest_database), erase(ingest_database))
    assert sorted(both[0].lead_ids + both[1].lead_ids) == [lead.lead_id for lead in leads]


async def test_an_erasure_locks_leads_in_the_order_of_whoever_revises_or_releases_them(
    ingest_database: Database,
) -> None:
    """By id. Otherwise each would hold what the other waits for."""
    acceptance = accepting(ingest_database)
    first = await acceptance.accept(a_lead(idempotency_key="b"))
    await acceptance.accept(a_lead(idempotency_key="a"))
    async with ingest_database.transaction() as connection:
        await connection.execute(text("SELECT FROM leads WHERE id = :id FOR UPDATE"), {"id": first.lead_id})
        erased = asyncio.create_task(erase(ingest_database))
        await waits(ingest_database, 1)
        free = (await connection.execute(text("SELECT 1 FROM leads FOR UPDATE SKIP LOCKED"))).all()
    assert len((await erased).lead_ids) == 2
    assert len(free) == 2


async def test_replicas_that_go_on_with_one_erasure_number_its_parts_without_gap_or_repetition(
    ingest_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of another that was committed since a statement began counts too."""
    monkeypatch.setattr(erasures, "LARGEST_PART", 1)
    acceptance = accepting(ingest_database)
    await asyncio.gather(*(acceptance.accept(a_lead()) for _ in range(200)))
    erasure_id = await erasing(ingest_database).request(MARIA, "oona", None)

    async def replica() -> None:
        work = erasing(ingest_database)
        while (await standing(ingest_database, erasure_id)).waiting_for[0] == "ingest":
            await work.turn()

    await asyncio.gather(*(replica() for _ in range(4)))
    assert sorted(part["part"] for _, part in await told(ingest_database)) == list(range(200))


async def test_an_erased_person_may_come_again(ingest_database: Database) -> None:
    """Also with the idempotency key of before: that is a new lead."""
    acceptance = accepting(ingest_database)
    before = await acceptance.accept(a_lead(idempotency_key="k", revisable=True))
    await erase(ingest_database)
    after = await acceptance.accept(a_lead(idempotency_key="k", revisable=True))
    assert not after.repeated
    assert after.lead_id != before.lead_id
    assert len(await told(ingest_database, "relance.lead.received.v1")) == 2


async def test_a_revision_that_waits_for_an_erasure_revises_nothing(ingest_database: Database) -> None:
    """Whoever sent it is to send it again, and it is a new lead."""
    acceptance = accepting(ingest_database)
    before = await acceptance.accept(a_lead(idempotency_key="k", revisable=True))
    more = NewLead(
        "website", "form", None, Contact(email=MARIA.email), {"said": "more"}, idempotency_key="k", revisable=True
    )
    async with ingest_database.transaction() as connection:
        await connection.execute(text("SELECT FROM leads FOR UPDATE"))
        erased = asyncio.create_task(erase(ingest_database))
        await waits(ingest_database, 1)
        late = asyncio.create_task(acceptance.accept(more))
        await waits(ingest_database, 2)
    assert (await erased).lead_ids == [before.lead_id]
    (answer,) = await asyncio.gather(late, return_exceptions=True)
    again = await acceptance.accept(more)
    assert not isinstance(answer, Accepted) or answer.lead_id == again.lead_id
    assert again.lead_id != before.lead_id
    (row,) = await rows(ingest_database, "SELECT data FROM leads WHERE id = :id", id=before.lead_id)
    assert row["data"] == {}
    assert await told(ingest_database, "relance.lead.revised.v1") == []


async def waits(database: Database, count: int) -> None:
    """Until so many wait for a lock in this database."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async def enough() -> bool:
        return len(await rows(database, query)) >= count

    await wait_until(enough, what=f"{count} to wait for locks", limit=timedelta(seconds=10))


async def test_a_submission_in_flight_is_erased_whole_or_is_a_new_lead(ingest_database: Database) -> None:
    """Nothing in between: what is not erased has its data and was told."""
    acceptance = accepting(ingest_database)

    async def submit() -> Accepted:
        return await acceptance.accept(a_lead())

    await asyncio.gather(*(submit() for _ in range(20)))
    submitted = [asyncio.create_task(submit()) for _ in range(40)]
    first, second = await asyncio.gather(erase(ingest_database), erase(ingest_database))
    await asyncio.gather(*submitted)
    erased = {*first.lead_ids, *second.lead_ids}
    assert len(erased) >= 20
    leads = await rows(ingest_database, "SELECT id, data, person_keys, erased_at FROM leads")
    assert len(leads) == 60
    for lead in leads:
        gone = lead["id"] in erased
        assert (lead["data"] == {}, lead["person_keys"] == [], lead["erased_at"] is not None) == (gone, gone, gone)
    assert len(await told(ingest_database, "relance.lead.received.v1")) == 60


async def test_what_is_erased_leaves_the_quarantine_and_cannot_be_released(ingest_database: Database) -> None:
    """Nobody is to judge it, and nothing is told of it."""
    accepted = await accepting(ingest_database).accept(a_lead(suspicions=("honeypot",)))
    await erase(ingest_database)
    async with ingest_database.transaction() as connection:
        assert await quarantine.page(connection, quarantine.Filter(), before=None, limit=10) == []
        assert await quarantine.one(connection, accepted.lead_id) is None
        assert await release(connection, [accepted.lead_id]) == []
    waiting = "SELECT 1 FROM leads WHERE suspicions <> '{}' AND released_at IS NULL AND discarded_at IS NULL"
    assert await rows(ingest_database, waiting) == []


async def test_a_person_with_very_many_leads_is_erased_in_steps_by_whoever_lives(
    ingest_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replica that was asked dies after the first; until the last, ingest itself is waited for."""
    monkeypatch.setattr(erasures, "LARGEST_PART", 2)
    acceptance = accepting(ingest_database)
    for _ in range(5):
        await acceptance.accept(a_lead())
    erasure_id = await erasing(ingest_database).request(MARIA, "oona", "ticket 4711")
    begun = await standing(ingest_database, erasure_id)
    assert (len(begun.lead_ids), begun.waiting_for, begun.reason) == (2, ["ingest", "router"], "ticket 4711")
    another = erasing(ingest_database)
    while not await another.turn():
        pass
    done = await standing(ingest_database, erasure_id)
    assert (len(done.lead_ids), done.waiting_for) == (5, ["router"])
    assert [part["part"] for _, part in await told(ingest_database)] == [0, 1, 2]
    (row,) = await rows(ingest_database, "SELECT person_keys FROM erasures")
    assert row["person_keys"] is None


async def test_leads_from_before_the_secret_and_from_the_version_before_are_found(ingest_database: Database) -> None:
    """By plain hashes, and by what their data says."""
    plain = await accepting(ingest_database, pseudonyms=Pseudonyms()).accept(a_lead())
    older = await accepting(ingest_database).accept(a_lead())
    await rows(ingest_database, "UPDATE leads SET person_keys = NULL WHERE id = :id RETURNING 1", id=older.lead_id)
    found = await erase(ingest_database)
    assert found.lead_ids == [plain.lead_id, older.lead_id]


async def test_a_lead_of_the_version_before_is_found_by_each_of_its_addresses(ingest_database: Database) -> None:
    """That version named one of the two, as a plain hash, and no other way to find it."""
    before = Pseudonyms()
    acceptance = accepting(ingest_database, pseudonyms=before)
    lead = await acceptance.accept(a_lead("Maria@Example.com", phone=PHONE))
    revised = await acceptance.accept(a_lead("anna@example.com", idempotency_key="k", revisable=True))
    await acceptance.accept(a_lead("Maria@Example.com", idempotency_key="k", revisable=True))
    await rows(ingest_database, "UPDATE leads SET person_keys = NULL, data = data - 'person_keys' RETURNING 1")
    assert (await erase(ingest_database, Person(None, PHONE))).lead_ids == [lead.lead_id]
    assert (await erase(ingest_database)).lead_ids == [revised.lead_id]


async def test_an_erasure_waits_until_all_leads_of_the_version_before_can_be_found(
    ingest_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are named in steps, however many there are; until then ingest itself is waited for."""
    monkeypatch.setattr(naming, "AT_ONCE", 2)
    acceptance = accepting(ingest_database)
    leads = [await acceptance.accept(a_lead()) for _ in range(5)]
    await rows(ingest_database, "UPDATE leads SET person_keys = NULL RETURNING 1")
    work = erasing(ingest_database)
    erasure_id = await work.request(MARIA, "oona", None)
    begun = await standing(ingest_database, erasure_id)
    assert (begun.lead_ids, begun.waiting_for) == ([], ["ingest"])
    while not await work.turn():
        pass
    done = await standing(ingest_database, erasure_id)
    assert (done.lead_ids, done.waiting_for) == ([lead.lead_id for lead in leads], ["router"])


async def test_a_lead_of_the_version_before_that_is_revised_and_sealed_is_found_by_both_contacts(
    open_database: OpenDatabase,
) -> None:
    """It is named before its data is replaced by what cannot be looked into."""
    database = open_database(INGEST, SEALED)
    plain = open_database(INGEST)
    await accepting(plain).accept(a_lead(idempotency_key="k", revisable=True))
    await rows(plain, "UPDATE leads SET person_keys = NULL RETURNING 1")
    revised = await accepting(database).accept(a_lead("anna@example.com", idempotency_key="k", revisable=True))
    async with database.transaction() as connection:
        for email in ("maria@example.com", "anna@example.com"):
            (row,) = await finding.page(connection, Person(email, None).keys(SECRET), after=None, most=2)
            assert row.id == revised.lead_id


async def test_a_lead_is_found_by_all_that_it_was_ever_told_with(ingest_database: Database) -> None:
    """Those who heard of it before its revision hold the address of before."""
    acceptance = accepting(ingest_database)
    await acceptance.accept(a_lead(idempotency_key="call", revisable=True))
    await acceptance.accept(a_lead("anna@example.com", phone=PHONE, idempotency_key="call", revisable=True))
    (row,) = await rows(ingest_database, "SELECT person_keys FROM leads")
    every = {*SECRET.person_keys("maria@example.com", None), *SECRET.person_keys("anna@example.com", PHONE)}
    assert set(row["person_keys"]) == every
    assert row["person_keys"][0] == SECRET.email("maria@example.com")
    assert len((await erase(ingest_database)).lead_ids) == 1


async def test_an_export_has_all_of_a_person_by_pages(ingest_database: Database) -> None:
    """Nothing of others, and nothing that was erased."""
    acceptance = accepting(ingest_database)
    ids = [(await acceptance.accept(a_lead())).lead_id for _ in range(3)]
    await acceptance.accept(a_lead("ben@example.com"))
    keys = MARIA.keys(SECRET)

    async def page(after: LeadId | None) -> list[Any]:
        async with ingest_database.transaction() as connection:
            return list(await finding.page(connection, keys, after=after, most=2))

    first, rest = await page(None), await page(ids[1])
    assert [row.id for row in first + rest] == ids
    assert first[0].data["contact"]["name"] == "Maria Huber"
    await erase(ingest_database)
    assert await page(None) == []


@pytest.mark.parametrize("statement", [finding._LOCK, finding._PAGE], ids=["erasure", "export"])
async def test_a_person_is_found_by_a_step_into_the_index_and_not_by_reading_every_lead(
    ingest_database: Database, statement: TextClause
) -> None:
    """However many there are: a million were read in 2 to 5 s, which is RELANCE_DATABASE_TIMEOUT.

    The proportions are those of a million leads and `LARGEST_PART`, fiftyfold smaller.
    """
    leads = """
        INSERT INTO leads (id, source, channel, idempotency_key, fingerprint, received_at, data, person_keys)
        SELECT gen_random_uuid(), 'website', 'form', n, '', now(), '{}', ARRAY[md5('email' || n), md5('phone' || n)]
        FROM generate_series(1, 20000) n
    """
    given = {"keys": [md5(b"phone4711").hexdigest()], "most": 10, "after": None}  # noqa: S324  # nothing is kept safe
    async with ingest_database.transaction() as connection:
        await connection.execute(text(leads))
        await connection.execute(text("SELECT gin_clean_pending_list('leads_person_keys')"))  # as autovacuum does
        await connection.execute(text("ANALYZE leads"))
        wanted = {name: given[name] for name in statement.compile().params}
        explained = text(f"EXPLAIN (ANALYZE, TIMING off) {statement.text}")
        plan = "\n".join((await connection.execute(explained, wanted)).scalars())
        assert len((await connection.execute(statement, wanted)).all()) == 1
    assert "leads_person_keys" in plan, plan
    assert "Rows Removed by Filter" not in plan, plan


async def test_what_outlives_its_sources_retention_is_erased_and_told(ingest_database: Database) -> None:
    """Only of that source, only once, and references that were never fetched go too: these are counted and logged."""
    acceptance = accepting(ingest_database)
    old = await acceptance.accept(a_lead())
    past = first_id_at(utc_now() - timedelta(days=366))
    await rows(ingest_database, "UPDATE leads SET id = :past RETURNING 1", past=past)
    assert old.lead_id != past
    young = await acceptance.accept(a_lead())
    reference = "INSERT INTO partner_references (source, id, told_at) VALUES ('website', 'x', :at) RETURNING 1"
    await rows(ingest_database, reference, at=utc_now() - timedelta(days=400))
    kept = {"website": timedelta(days=365), "ads": timedelta(days=1)}
    counted = [REGISTRY.get_sample_value(FORGOTTEN, {"source": source}) or 0 for source in kept]
    with capture_logs() as logged:
        for _ in range(2):
            assert await Retention(ingest_database, kept, new_id, lambda: None).turn() == timedelta(hours=1)
    assert [(line["source"], line["references"]) for line in logged] == [("website", 1)]
    assert [REGISTRY.get_sample_value(FORGOTTEN, {"source": source}) for source in kept] == [counted[0] + 1, counted[1]]
    ((key, part),) = await told(ingest_database)
    assert (key, part["lead_ids"], part["because"]) == (part["erasure_id"], [str(past)], "retention")
    assert await rows(ingest_database, "SELECT id FROM leads WHERE erased_at IS NULL") == [{"id": young.lead_id}]
    assert await rows(ingest_database, "SELECT 1 FROM partner_references") == []
    assert (await standing(ingest_database, ErasureId(uuid.UUID(key)))).waiting_for == ["router"]


async def test_sealed_leads_are_kept_told_revised_released_exported_and_erased_like_others(
    open_database: OpenDatabase,
) -> None:
    """In the tables nothing can be read; on the topic everything, as ever."""
    database = open_database(INGEST, SEALED)
    acceptance = accepting(database)
    await acceptance.accept(a_lead(idempotency_key="k", revisable=True))
    more = NewLead(
        "website", "form", None, Contact(email=MARIA.email), {"said": "more"}, idempotency_key="k", revisable=True
    )
    assert (await acceptance.accept(more)).revised
    suspect = await acceptance.accept(a_lead(suspicions=("honeypot",)))
    async with database.transaction() as connection:
        released = Decision(State.RELEASED, "oona", "I know Maria")
        assert await quarantine.decide(connection, [suspect.lead_id], released) == [suspect.lead_id]
    left = await everything(database)
    for word in ("aria", "call me", '"more"'):
        assert word not in left
    payloads = await rows(database, "SELECT payload FROM outbox ORDER BY id")
    events = [json.loads(SEALED.open_document_text(row["payload"])) for row in payloads]
    assert [event["fields"]["said"] for event in events] == ["call me, Maria", "more", "call me, Maria"]
    async with database.transaction() as connection:
        page = await finding.page(connection, MARIA.keys(SECRET), after=None, most=10)
    held = [row.data for row in page]
    assert [lead["fields"]["said"] for lead in held] == ["more", "call me, Maria"]
    assert "revised_at" not in held[0]
    assert [SEALED.open(reason) for reason in page[1].reasons] == ["I know Maria"]
    found = await erasing(database).request(MARIA, "oona", "ticket 4711")
    erased = await erasing(database).standing(found)
    assert erased is not None
    assert (len(erased.lead_ids), erased.reason) == (2, "ticket 4711")


async def test_switching_on_changing_keys_and_switching_off_store_everything_anew(ingest_database: Database) -> None:
    """Each from wherever the one before was interrupted."""
    old, new = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))
    acceptance = accepting(ingest_database)
    await acceptance.accept(a_lead(idempotency_key="k"))
    await acceptance.accept(a_lead("ben@example.com", suspicions=("honeypot",)))
    await acceptance.accept(a_lead("anna@example.com"))
    await erase(ingest_database, Person("anna@example.com", None))
    async with ingest_database.transaction() as connection:
        (suspect,) = await quarantine.page(connection, quarantine.Filter(), before=None, limit=1)
        await quarantine.decide(connection, [suspect.id], Decision(State.DISCARDED, "oona", "casino"))
    before = await documents(ingest_database)
    for keys in ((old,), (new, old), (SecretStr(""), new)):
        personal_data = PersonalData(keys)
        for expected in (4 + 3, 0):  # events, too
            stored = [
                stored
                for column in SEALED_COLUMNS
                async for _, stored in reseal(ingest_database, column, personal_data)
            ]
            assert sum(stored) == expected
        assert [personal_data.open_document(stored) for stored in await documents(ingest_database)] == before
        (decision,) = await rows(ingest_database, "SELECT reason FROM quarantine_decisions")
        assert personal_data.open(decision["reason"]) == "casino"
        assert (decision["reason"] == "casino") == (not keys[0].get_secret_value())
    assert await documents(ingest_database) == before


async def documents(database: Database) -> list[Any]:
    """What stands in leads, not opened."""
    found = await rows(database, "SELECT CAST(data AS text) AS data FROM leads ORDER BY id")
    return [json.loads(row["data"]) for row in found]
