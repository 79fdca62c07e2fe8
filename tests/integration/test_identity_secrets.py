"""Promises of the secret behind people's pseudonyms: nobody is lost because another one was set."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.conftest import OpenDatabase
from tests.integration.test_privacy import a_lead, accepting

from relance.clock import utc_now
from relance.database import Database
from relance.ids import new_id
from relance.start_up import StartRefused
from relance_ingest import identity_secrets
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_ingest.privacy import Erasures, Person
from relance_local.broker import Broker
from relance_local.child_process import ProcessDied
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST, Configuration, Parts, Services

OLD, NEW = b"the secret from before, long enough for it", b"the secret of today, long enough for it too"


@pytest.fixture
def ingest_database(open_database: OpenDatabase) -> Database:
    """Ingest's tables."""
    return open_database(INGEST)


async def starts(database: Database, pseudonyms: Pseudonyms) -> bool:
    try:
        await identity_secrets.check(database, pseudonyms)
    except StartRefused:
        return False
    return True


@pytest.mark.parametrize("given", [Pseudonyms(NEW), Pseudonyms(), Pseudonyms(NEW, (b"some third one",))])
async def test_ingest_does_not_start_with_another_identity_secret(ingest_database: Database, given: Pseudonyms) -> None:
    """Nor with none; it says what to do and no secret, and starts with the one from before as ever."""
    await identity_secrets.check(ingest_database, Pseudonyms(OLD))
    with pytest.raises(StartRefused, match="RELANCE_IDENTITY_SECRETS_PREVIOUS") as refused:
        await identity_secrets.check(ingest_database, given)
    assert "secret of today" not in str(refused.value)
    assert await starts(ingest_database, Pseudonyms(OLD))


async def test_ingest_starts_with_a_first_identity_secret(ingest_database: Database) -> None:
    """Leads from before have plain hashes, which are looked for in any case."""
    assert await starts(ingest_database, Pseudonyms())
    assert await starts(ingest_database, Pseudonyms(OLD))
    assert not await starts(ingest_database, Pseudonyms())


async def test_of_replicas_that_first_start_at_once_with_different_secrets_one_starts(
    open_database: OpenDatabase,
) -> None:
    """And any number with the same."""
    databases = [open_database(INGEST) for _ in range(3)]
    tried = [(each, secret) for each in databases for secret in (OLD, NEW)]
    started = await asyncio.gather(*(starts(each, Pseudonyms(secret)) for each, secret in tried))
    outcomes = {(secret, did) for (_, secret), did in zip(tried, started, strict=True)}
    assert outcomes in ({(OLD, True), (NEW, False)}, {(OLD, False), (NEW, True)})


async def test_with_the_secret_from_before_beside_the_new_one_people_are_found_by_both(
    ingest_database: Database,
) -> None:
    """That is how it is changed: also while replicas with the old one still run, once they know the new one."""
    changing, changed = Pseudonyms(OLD, (NEW,)), Pseudonyms(NEW, (OLD,))
    assert await starts(ingest_database, Pseudonyms(OLD))
    before = await accepting(ingest_database, Pseudonyms(OLD)).accept(a_lead())
    assert await starts(ingest_database, changed)
    after = await accepting(ingest_database, changed).accept(a_lead())
    assert await starts(ingest_database, changing)
    assert not await starts(ingest_database, Pseudonyms(OLD))
    every = timedelta(seconds=1)
    erasures = Erasures(ingest_database, changing, new_id, utc_now, on_committed=lambda: None, figures_every=every)
    found = await erasures.standing(await erasures.request(Person("maria@example.com", None), "oona", None))
    assert found is not None
    assert found.lead_ids == [before.lead_id, after.lead_id]


async def test_the_service_ends_with_the_sentence_and_nothing_else(
    real_parts: tuple[DatabaseServer, Broker], database: str, ingest_database: Database, tmp_path: Path
) -> None:
    """Before it takes a lead."""
    await identity_secrets.check(ingest_database, Pseudonyms(OLD))
    sources = tmp_path / "sources.yaml"
    sources.write_text(f"sources: [{{id: website, key_sha256: {'f' * 64}}}]")
    services = Services(Parts(tmp_path, *real_parts, database), Configuration(tmp_path / "unused", sources))
    with pytest.raises(ProcessDied):
        await services.start([INGEST])
    said = services.log(INGEST).read_text()
    assert said.startswith("Ingest does not start: ")
    assert said.count("\n") == 1
