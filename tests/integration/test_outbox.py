"""Promises of the outbox relay, on real Kafka and real PostgreSQL."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from cryptography.fernet import Fernet
from prometheus_client import Gauge
from pydantic import SecretStr
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.integration.events import envelope, lead
from tests.system import Endpoints, routing
from tests.topics import first_messages
from typing_extensions import override

from relance import outbox
from relance.database import Database
from relance.events import Envelope, Topic
from relance.kafka.publisher import MAX_MESSAGE_BYTES, KafkaPublisher, Message
from relance.metrics import OUTBOX_AGE, OUTBOX_DEPTH
from relance.outbox import WAITING_EVENTS, OutboxRelay, check_waiting
from relance.personal_data import PersonalData
from relance.resealing import reseal
from relance.settings import ServiceSettings
from relance.start_up import StartRefused
from relance_ingest import sealed_columns as ingest_columns
from relance_local.broker import Broker
from relance_local.child_process import ProcessDied
from relance_local.conditions import free_port, wait_until
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST, ROUTER, Configuration, Parts, Services
from relance_router import sealed_columns as router_columns


@asynccontextmanager
async def relaying(relay: OutboxRelay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.request_stop()
        await asyncio.wait_for(task, 30)


def value(gauge: Gauge) -> float:
    (metric,) = gauge.collect()
    return metric.samples[0].value


async def append(database: Database, events: list[Envelope]) -> None:
    async with database.transaction() as connection:
        await outbox.append(connection, events)


async def waiting(database: Database) -> int:
    async with database.transaction() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM outbox"))).scalar_one())


async def published(settings: ServiceSettings, count: int) -> list[Envelope]:
    topic = settings.topic_prefix + Topic.RECEIVED
    records = await first_messages(settings.kafka_bootstrap_servers, topic, count)
    return [Envelope.from_message(record.headers, record.value) for record in records]


async def test_events_of_one_lead_are_published_in_the_order_they_were_committed(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """More than one batch of them; afterwards the outbox is empty."""
    database = open_database("router")
    data = lead()
    events = [envelope(data) for _ in range(1200)]
    for start in range(0, len(events), 100):
        await append(database, events[start : start + 100])
    relay = OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)
    async with relaying(relay):
        assert await published(settings, len(events)) == events
    assert await waiting(database) == 0


async def test_what_commits_late_is_published_although_its_id_is_lower(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """Ids become visible out of order: "greater than the last seen" would lose this one."""
    database = open_database("router")
    early, late = envelope(), envelope()
    relay = OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)
    async with relaying(relay):
        async with database.transaction() as connection:
            await outbox.append(connection, [early])
            await append(database, [late])
            assert await published(settings, 1) == [late]
        relay.nudge()
        both = await published(settings, 2)
        assert sorted(event.id for event in both) == sorted([early.id, late.id])


async def test_one_of_two_relays_publishes_and_the_other_takes_over(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """By advisory lock; nothing is published twice while both are well."""
    database, other = open_database("router"), open_database("router")
    first = OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)
    second = OutboxRelay(other, publisher, topic_prefix=settings.topic_prefix)
    async with relaying(second):
        async with relaying(first):
            before = [envelope() for _ in range(20)]
            await append(database, before)
            first.nudge()
            second.nudge()
            await published(settings, 20)

        after = [envelope() for _ in range(20)]
        await append(database, after)

        async def taken_over() -> bool:
            return await waiting(database) == 0

        await wait_until(taken_over, what="the second relay to publish")
    seen = await published(settings, 40)
    assert sorted(event.id for event in seen) == sorted(event.id for event in [*before, *after])


class StandsStill(KafkaPublisher):
    """Its whole process is frozen once it has events in hand, until `goes_on` is set."""

    stands = threading.Event()
    goes_on = threading.Event()
    awake = False

    @override
    async def publish(self, messages: Sequence[Message]) -> tuple[int, BaseException | None]:
        self.stands.set()
        self.goes_on.wait(60)
        outcome = await super().publish(messages)
        self.awake = True
        return outcome


async def test_a_replica_that_stands_still_keeps_nobody_from_publishing(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """Another takes its place. What it had in hand is repeated when it wakes, behind what inboxes have had in order."""
    database, other = open_database("router"), open_database("router")
    frozen = StandsStill(settings.kafka_bootstrap_servers, client_id="frozen")
    data = lead()
    events = [envelope(data) for _ in range(3)]

    async def stand_still() -> None:
        relay = OutboxRelay(other, frozen, topic_prefix=settings.topic_prefix, idle_limit=timedelta(seconds=1))
        async with relaying(relay):
            await wait_until(lambda: frozen.awake, what="it to wake and publish")
        await frozen.close()
        await other.close()

    await append(database, events[:2])
    standing = asyncio.create_task(asyncio.to_thread(asyncio.run, stand_still()))
    try:
        await wait_until(frozen.stands.is_set, what="events to be in hand")
        await append(database, events[2:])
        async with relaying(OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)):
            assert await published(settings, 3) == events
            frozen.goes_on.set()
            assert await published(settings, 5) == [*events, *events[:2]]
    finally:
        frozen.goes_on.set()
        await standing
    assert await waiting(database) == 0


class TakesItsTime(KafkaPublisher):
    """Kafka, which acknowledges nothing until `back` is set."""

    back = asyncio.Event()

    @override
    async def publish(self, messages: Sequence[Message]) -> tuple[int, BaseException | None]:
        await self.back.wait()
        return len(messages), None


async def test_a_relay_that_waits_for_kafka_keeps_its_place_and_says_what_waits(
    open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long: it is not taken for one that stands still."""
    monkeypatch.setattr("relance.outbox.relay.MEASURE_EVERY", timedelta(milliseconds=100))
    database = open_database("router")
    kafka = TakesItsTime("", client_id="tests")
    OUTBOX_DEPTH.set(0)
    await append(database, [envelope()])

    async def long_active() -> bool:
        async with database.transaction() as connection:
            found = await connection.execute(
                text("""
                SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE locktype = 'advisory' AND granted AND datname = current_database()
                    AND clock_timestamp() - backend_start > interval '2 seconds'
                """)
            )
            return found.first() is not None

    relay = OutboxRelay(database, kafka, topic_prefix="", idle_limit=timedelta(seconds=1))
    async with relaying(relay):
        await wait_until(lambda: value(OUTBOX_DEPTH) == 1, what="the event to be taken")
        await append(database, [envelope()])
        await wait_until(lambda: value(OUTBOX_DEPTH) == 2, what="the other to be counted")
        await wait_until(long_active, what="the session to outlive its limit")
        kafka.back.set()


async def test_an_event_too_large_for_kafka_keeps_only_its_own_lead_waiting(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """It stays, with what follows it about the same lead, and everybody else's is published past it."""
    database = open_database("router")
    data = lead()
    too_large = envelope(data.model_copy(update={"fields": {"text": "x" * MAX_MESSAGE_BYTES}}))
    large = envelope(lead(team="x" * (MAX_MESSAGE_BYTES - 2000)))
    others = [envelope() for _ in range(20)]
    await append(database, [too_large, envelope(data), large, *others])
    relay = OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)
    async with relaying(relay):
        seen = {event.id for event in await published(settings, 21)}
    assert seen == {event.id for event in [large, *others]}
    assert await waiting(database) == 2


async def test_an_event_too_large_for_its_topic_keeps_nobody_else_waiting(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """Where somebody has given the topic a limit of its own, which only the broker knows."""
    topic = settings.topic_prefix + Topic.RECEIVED
    limit = {"max.message.bytes": "500000"}
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, limit)])

    async def limited() -> bool:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return limit.items() <= {entry[0]: entry[1] for entry in answer.resources[0][4]}.items()  # type: ignore[attr-defined]

    await wait_until(limited, what="the broker to say what was set")
    await admin.close()
    database = open_database("router")
    await append(database, [envelope(lead(team="x" * 1_000_000)), *(envelope() for _ in range(20))])

    async def others_published() -> bool:
        return await waiting(database) == 1

    async with relaying(OutboxRelay(database, publisher, topic_prefix=settings.topic_prefix)):
        await wait_until(others_published, what="all others to be published")


@pytest.mark.parametrize("active", [True, False])
async def test_while_kafka_is_away_the_outbox_says_how_much_waits_and_how_long(
    open_database: OpenDatabase, *, active: bool
) -> None:
    """Just then somebody needs to know, also of one that stands by. The event may tell of what was long ago."""
    database = open_database("router")
    await append(database, [envelope() for _ in range(3)])
    OUTBOX_DEPTH.set(0)
    OUTBOX_AGE.set(0)
    publisher = KafkaPublisher(f"127.0.0.1:{free_port()}", client_id="tests")
    try:
        async with database.engine.connect() as other:
            if not active:
                await other.execute(text("SELECT pg_advisory_lock(hashtext('router_outbox'))"))
                await other.commit()
            async with relaying(OutboxRelay(database, publisher, topic_prefix="")):
                await wait_until(
                    lambda: value(OUTBOX_DEPTH) == 3 and 0 < value(OUTBOX_AGE) < 3600, what="the outbox to be measured"
                )
            await other.invalidate()
    finally:
        await publisher.close()


async def test_a_service_does_not_start_while_it_cannot_open_what_waits_in_its_outbox(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """Sealing was switched off, or a key taken away, while Kafka was away. The key beside an empty one is enough."""
    key = SecretStr(Fernet.generate_key().decode())
    data = lead()
    events = [envelope(data), envelope(data)]
    await append(open_database("router", PersonalData([key])), events)
    for keys in ([], [SecretStr(Fernet.generate_key().decode())]):
        without = open_database("router", PersonalData(keys))
        with pytest.raises(StartRefused, match=r"router\.outbox.*RELANCE_PERSONAL_DATA_KEYS"):
            await check_waiting(without)
    off = open_database("router", PersonalData([SecretStr(""), key]))
    relay = OutboxRelay(off, publisher, topic_prefix=settings.topic_prefix)
    await check_waiting(off)
    async with relaying(relay):
        assert await published(settings, 2) == events


async def test_what_waits_in_the_outbox_is_stored_anew_with_everything_else(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """Once `encrypt` has been through, the old keys may go, whether or not Kafka has been there since."""
    assert WAITING_EVENTS in ingest_columns.SEALED_COLUMNS
    assert WAITING_EVENTS in router_columns.SEALED_COLUMNS
    old, new = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))
    data = lead()
    events = [envelope(data) for _ in range(3)]
    for event, keys in zip(events, ([], [old], [new]), strict=True):
        await append(open_database("router", PersonalData(keys)), [event])
    for keys, expected in (([new, old], 2), ([SecretStr(""), new], 3)):
        database = open_database("router", PersonalData(keys))
        assert sum([stored async for _, stored in reseal(database, WAITING_EVENTS, database.personal_data)]) == expected
    plain = open_database("router")
    relay = OutboxRelay(plain, publisher, topic_prefix=settings.topic_prefix)
    await check_waiting(plain)
    async with relaying(relay):
        assert await published(settings, 3) == events


async def test_both_services_that_seal_look_into_their_outbox_before_they_start(
    real_parts: tuple[DatabaseServer, Broker], database: str, open_database: OpenDatabase, tmp_path: Path
) -> None:
    """They end with a sentence, and not as one that failed."""
    sealing = PersonalData([SecretStr(Fernet.generate_key().decode())])
    routing_file, sources_file = tmp_path / "routing.yaml", tmp_path / "sources.yaml"
    routing_file.write_text(routing(Endpoints(), {"sales": ["anna"]}))
    sources_file.write_text(f"sources: [{{id: website, key_sha256: {'f' * 64}}}]")
    services = Services(Parts(tmp_path, *real_parts, database), Configuration(routing_file, sources_file))
    for name in (INGEST, ROUTER):
        await append(open_database(name, sealing), [envelope()])
        with pytest.raises(ProcessDied, match=f"status 2(.|\n)*Not started: events that wait in {name}.outbox"):
            await services.start([name])
