"""Promises of the configuration's life: versions, the moment they take over, rolling back, and the first one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.integration.conftest import OpenDatabase
from tests.integration.events import envelope, lead, publish
from tests.system import Endpoints, routing
from tests.topics import first_messages

from relance.database import Database
from relance.events import Envelope, Topic
from relance.ids import new_id
from relance.kafka.consumer import BatchConsumer, Subscription
from relance.kafka.publisher import KafkaPublisher
from relance.settings import ServiceSettings
from relance_local.conditions import wait_until
from relance_local.services import ROUTER
from relance_router.answers.recording import AnswerRecorder
from relance_router.configuration.bootstrap import SeedRefused, check, seed
from relance_router.configuration.documents import Version
from relance_router.configuration.exported_leads import export_lines
from relance_router.configuration.history import read_history, read_version
from relance_router.configuration.routing_file import ConfigurationRefused
from relance_router.configuration.versions import (
    AppliedMeanwhile,
    ConfigurationVersions,
    NoConfiguration,
    NoSuchVersion,
)
from relance_router.domain.lead_facts import lead_facts
from relance_router.domain.past_leads import PastLead
from relance_router.routing.assigning import Assigner
from relance_router.routing.handler import RoutingHandler

FIRST = routing(Endpoints(), {"sales": ["anna", "ben"]})


def another(name: str) -> str:
    """A right configuration that is not the first one."""
    return f"# {name}\n{FIRST}"


async def apply(database: Database, content: str, expected: int | None = None, by: str = "anna") -> Version:
    async with database.transaction() as connection:
        version, _ = await ConfigurationVersions().apply(connection, content, expected=expected, by=by)
        return version


async def rows(database: Database, query: str, **values: Any) -> list[dict[str, Any]]:
    async with database.transaction() as connection:
        return [dict(row) for row in (await connection.execute(text(query), values)).mappings()]


async def waiting_for_the_lock(database: Database, count: int) -> None:
    """Wait until so many transactions wait for the configuration."""
    query = "SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database WHERE datname = current_database() "
    query += "AND locktype = 'advisory' AND NOT granted"

    async def reached() -> bool:
        return len(await rows(database, query)) >= count

    await wait_until(reached, what=f"{count} transactions to wait")


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    """The router's."""
    return open_database(ROUTER)


async def test_of_many_who_apply_at_once_exactly_one_wins(database: Database) -> None:
    """The others are told who was first, and nothing of theirs is kept."""
    outcomes = await asyncio.gather(
        *(apply(database, another(f"number {number}"), expected=0, by=f"rep-{number}") for number in range(8)),
        return_exceptions=True,
    )
    won = [outcome for outcome in outcomes if isinstance(outcome, Version)]
    lost = [str(outcome) for outcome in outcomes if isinstance(outcome, AppliedMeanwhile)]
    assert (len(won), len(lost)) == (1, 7)
    assert all(f"Version 1 runs, applied by {won[0].applied_by} at" in sentence for sentence in lost)
    assert len(await rows(database, "SELECT version FROM configurations")) == 1


async def test_what_runs_already_is_no_new_version(database: Database) -> None:
    """So that an apply whose answer was lost may be sent again."""
    assert (await apply(database, FIRST, expected=0)).version == 1
    assert (await apply(database, FIRST, expected=0)).version == 1


async def test_nothing_wrong_is_kept(database: Database) -> None:
    """Whoever calls: the check is part of applying."""
    with pytest.raises(ConfigurationRefused, match="there is no rep 'nobody'"):
        await apply(database, FIRST.replace("rep: anna", "rep: nobody"))
    assert await rows(database, "SELECT version FROM configurations") == []


async def test_rolling_back_adds_a_version_and_the_history_keeps_all(database: Database) -> None:
    """What was, stays readable; the newest runs."""
    await apply(database, FIRST)
    await apply(database, another("second"))
    versions = ConfigurationVersions()
    async with database.transaction() as connection:
        await versions.roll_back(connection, 1, expected=2, by="ben", comment="too soon")
        with pytest.raises(NoSuchVersion, match="no version 9"):
            await versions.roll_back(connection, 9, expected=3, by="ben")
        with pytest.raises(AppliedMeanwhile, match="not version 1 as you expected"):
            await versions.roll_back(connection, 2, expected=1, by="ben")
    async with database.transaction() as connection:
        newest = await read_history(connection, before=None, limit=2)
        oldest = await read_history(connection, before=newest.before, limit=2)
        running = await read_version(connection, None)
        assert (await versions.running(connection)).version == 3
    assert [version.version for version in [*newest.versions, *oldest.versions]] == [3, 2, 1]
    assert oldest.before is None
    assert running is not None
    assert (running.content, running.rolled_back_to, running.applied_by) == (FIRST, 1, "ben")


async def test_a_version_is_never_changed(database: Database) -> None:
    """Assignments name the version that decided them: it must say the same for ever."""
    await apply(database, FIRST)
    for change in ("UPDATE configurations SET content = ''", "DELETE FROM configurations"):
        with pytest.raises(DBAPIError, match="never changed"):
            await rows(database, change)


async def test_what_a_release_cannot_run_stops_routing_until_a_mended_one_is_applied(database: Database) -> None:
    """Batches wait, and are not buried as if the leads were wrong."""
    await rows(database, "INSERT INTO configurations (content, sha256) VALUES ('teams: 3', '') RETURNING version")
    versions = ConfigurationVersions()
    with pytest.raises(NoConfiguration, match="apply a mended one"):
        await check(database, versions)
    await apply(database, FIRST, expected=1)
    await check(database, versions)


async def test_applying_waits_for_the_batches_in_hand_and_later_ones_get_the_new_version(database: Database) -> None:
    """No decision with the old version commits after the new one."""
    await apply(database, FIRST)
    versions = ConfigurationVersions()

    async def decide() -> int:
        async with database.transaction() as connection:
            return (await versions.running(connection)).version

    async with database.transaction() as in_hand:
        assert (await versions.running(in_hand)).version == 1
        applying = asyncio.create_task(apply(database, another("second")))
        await waiting_for_the_lock(database, 1)
        later = asyncio.create_task(decide())
        await waiting_for_the_lock(database, 2)
        assert not applying.done()
        assert (await versions.running(in_hand)).version == 1
    assert (await applying).version == 2
    assert await later == 2


async def test_a_decline_that_waits_for_the_configuration_holds_no_lead(database: Database) -> None:
    """A batch in hand may want that lead; apply waits for the batch, and everybody would wait for everybody."""
    await apply(database, FIRST)
    versions, assigner = ConfigurationVersions(), Assigner(new_id)
    async with database.transaction() as connection:
        await RoutingHandler(versions, assigner, new_id)(connection, [envelope(lead())])
    (assignment,) = await rows(database, "SELECT id FROM assignments")
    recorder = AnswerRecorder(database, versions, assigner, new_id, lambda _: None)
    async with database.transaction() as in_hand:
        await versions.running(in_hand)
        applying = asyncio.create_task(apply(database, another("second")))
        await waiting_for_the_lock(database, 1)
        declining = asyncio.create_task(recorder.record(assignment["id"], "declined", None))
        await waiting_for_the_lock(database, 2)
        await in_hand.execute(text("SELECT id FROM leads FOR UPDATE NOWAIT"))
    await applying
    await declining
    decided = await rows(database, "SELECT configuration FROM assignments ORDER BY ordinal")
    assert decided == [{"configuration": 1}, {"configuration": 2}]


@asynccontextmanager
async def replica(
    settings: ServiceSettings, database: Database, publisher: KafkaPublisher
) -> AsyncIterator[BatchConsumer]:
    """A router's consumer, with nothing shared with another but the database and Kafka."""
    handler = RoutingHandler(ConfigurationVersions(), Assigner(new_id), new_id)
    consumer = BatchConsumer(
        Subscription(ROUTER, (Topic.RECEIVED,), handler, lambda: None), settings, database, publisher
    )
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        consumer.request_stop()
        await asyncio.wait_for(task, 30)


async def places(settings: ServiceSettings, count: int) -> dict[str, tuple[str, int]]:
    """Partition and offset of each lead."""
    topic = settings.topic_prefix + Topic.RECEIVED
    records = await first_messages(settings.kafka_bootstrap_servers, topic, count)
    return {
        Envelope.from_message(record.headers, record.value).subject: (str(record.partition), record.offset)
        for record in records
    }


async def test_all_replicas_switch_at_the_recorded_offset(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """Versions are applied while two replicas route, with a rebalance between: each lead's offset says its version."""
    database = open_database(ROUTER)
    small = settings.model_copy(update={"consumer_batch": 10})
    await apply(database, FIRST)
    rounds, per_round = 14, 40

    async def routed() -> int:
        return int((await rows(database, "SELECT count(*) AS leads FROM assignments"))[0]["leads"])

    async with AsyncExitStack() as closing:
        await closing.enter_async_context(replica(small, database, publisher))
        for number in range(rounds):
            if number == rounds // 3:
                await closing.enter_async_context(replica(small, open_database(ROUTER), publisher))
            await publish(settings, publisher, [envelope(lead()) for _ in range(per_round)])

            async def amid_the_batches(least: int = number * per_round + 1) -> bool:
                return await routed() >= least

            await wait_until(amid_the_batches, what="routing to go on", limit=timedelta(seconds=60))
            await apply(database, another(f"round {number}"), expected=number + 1)

        async def all_routed() -> bool:
            return await routed() == rounds * per_round

        await wait_until(all_routed, what="every lead to be routed", limit=timedelta(seconds=60))

    versions = await rows(database, "SELECT version, switched_at FROM configurations ORDER BY version")
    decided = await rows(database, "SELECT CAST(lead_id AS text) AS lead, configuration FROM assignments")
    at = await places(settings, rounds * per_round)

    def said(lead_id: str) -> int:
        partition, offset = at[lead_id]
        begun = [each for each in versions if each["switched_at"].get(Topic.RECEIVED, {}).get(partition, 0) <= offset]
        return int(begun[-1]["version"])

    assert {row["lead"]: row["configuration"] for row in decided} == {row["lead"]: said(row["lead"]) for row in decided}
    assert len({row["configuration"] for row in decided}) > rounds // 2, "the applies fell between decisions"


async def test_the_file_is_the_first_version_and_means_nothing_afterwards(database: Database, tmp_path: Path) -> None:
    """Replicas that start together agree; a restart undoes neither an apply nor a rollback."""
    file = tmp_path / "routing.yaml"
    file.write_text(FIRST)
    await asyncio.gather(*(seed(database, ConfigurationVersions(), file) for _ in range(4)))
    await apply(database, another("second"), expected=1)
    await seed(database, ConfigurationVersions(), file)
    file.write_text("nonsense: 1")
    await seed(database, ConfigurationVersions(), file)
    file.unlink()
    await seed(database, ConfigurationVersions(), file)
    assert await rows(database, "SELECT version, applied_by, comment FROM configurations ORDER BY version") == [
        {"version": 1, "applied_by": "router", "comment": "the first one, from routing.yaml"},
        {"version": 2, "applied_by": "anna", "comment": ""},
    ]


async def test_a_wrong_first_file_is_refused_with_every_line(database: Database, tmp_path: Path) -> None:
    """And a missing one, by its name."""
    file = tmp_path / "routing.yaml"
    with pytest.raises(SeedRefused, match=r"routing\.yaml cannot be read"):
        await seed(database, ConfigurationVersions(), file)
    file.write_text(FIRST.replace("rep: anna", "rep: nobody").replace("rep: ben", "rep: noone"))
    with pytest.raises(SeedRefused, match=r"(?s)yaml:\d+: there is no rep 'nobody'\n.*:\d+: there is no rep 'noone'"):
        await seed(database, ConfigurationVersions(), file)
    with pytest.raises(NoConfiguration, match="relance apply FILE"):
        await check(database, ConfigurationVersions())


async def test_the_export_has_every_lead_once_in_the_order_of_receipt(database: Database) -> None:
    """In several pieces, so that memory has a bound."""
    await apply(database, FIRST)
    leads = [lead() for _ in range(1200)]
    async with database.transaction() as connection:
        handler = RoutingHandler(ConfigurationVersions(), Assigner(new_id), new_id)
        await handler(connection, [envelope(each) for each in leads])
    pieces = [piece async for piece in export_lines(database, 1)]
    past = [PastLead.model_validate_json(line) for piece in pieces for line in piece.splitlines()]
    assert [each.lead_id for each in past] == [each.lead_id for each in leads]
    assert len(pieces) == 3
    assert {(each.rule, each.configuration, each.declines, each.in_hand_seconds) for each in past} == {
        ("sales", 1, 0, None)
    }
    assert past[0].facts == lead_facts(leads[0])
