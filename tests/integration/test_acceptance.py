"""What accepting promises, against the real PostgreSQL."""

import json
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase

from relance.clock import utc_now
from relance.database import Database
from relance.events import Contact
from relance.ids import LeadId, new_id
from relance_ingest.acceptance import Acceptance, Accepted, KeyUsedTwice, NewLead, release
from relance_local.services import INGEST


@pytest.fixture
def ingest_database(open_database: OpenDatabase) -> Database:
    """Ingest's tables."""
    return open_database(INGEST)


@pytest.fixture
def acceptance(ingest_database: Database) -> Acceptance:
    """Acceptance without a relay, so that the outbox can be looked at."""
    return Acceptance(ingest_database, new_id, utc_now, lambda: None)


def a_lead(*, said: str = "hello", **how: Any) -> NewLead:
    contact = Contact(email="maria@example.com")
    return NewLead(source="website", channel="form", campaign=None, contact=contact, fields={"said": said}, **how)


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
