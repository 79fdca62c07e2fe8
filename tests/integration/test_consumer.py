"""Promises of the consumer loop, on real Kafka and real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.integration.conftest import OpenDatabase
from tests.integration.events import envelope, lead, publish
from tests.topics import first_messages

from relance import faults, inbox
from relance.database import Database
from relance.events import Envelope, LeadReceived, Topic
from relance.kafka import lag as lag_module
from relance.kafka.consumer import BatchConsumer, Subscription
from relance.kafka.publisher import MAX_MESSAGE_BYTES, KafkaPublisher
from relance.kafka.topics import dead_letter_topic
from relance.metrics import CONSUMED, CONSUMER_LAG
from relance.personal_data import CannotOpen
from relance.settings import ServiceSettings
from relance_local.conditions import wait_until

GROUP = "tested"


@dataclass
class Effects:
    """A handler whose effect is a row per event, and which can be told to fail."""

    fail_permanently_on: str | None = None
    fault: Exception = field(default_factory=lambda: ZeroDivisionError("a fault of our own"))
    fail_passingly: int = 0
    batches: list[int] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None

    async def __call__(self, connection: AsyncConnection, events: Sequence[Envelope]) -> None:
        self.entered.set()
        if self.gate:
            await self.gate.wait()
        if self.fail_passingly:
            self.fail_passingly -= 1
            raise faults.TryLater("not yet")
        self.batches.append(len(events))
        for event in events:
            assert isinstance(event.data, LeadReceived)
            if event.data.source == self.fail_permanently_on:
                raise self.fault
            # The table stands in for any effect; without the inbox a repetition would break its key.
            await connection.execute(
                text("INSERT INTO leads (id, data, traceparent) VALUES (:id, '{}', '')"), {"id": event.data.lead_id}
            )


@asynccontextmanager
async def running(
    settings: ServiceSettings, database: Database, publisher: KafkaPublisher, effects: Effects
) -> AsyncIterator[BatchConsumer]:
    consumer = BatchConsumer(
        Subscription(GROUP, (Topic.RECEIVED,), effects, lambda: None), settings, database, publisher
    )
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        consumer.request_stop()
        await asyncio.wait_for(task, 30)


async def handled(database: Database) -> int:
    async with database.transaction() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM leads"))).scalar_one())


async def wait_for(database: Database, count: int) -> None:
    async def reached() -> bool:
        return await handled(database) >= count

    await wait_until(reached, what=f"{count} events to be handled")


async def dead_letters(settings: ServiceSettings, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    topic = dead_letter_topic(settings.topic_prefix + GROUP)
    return await first_messages(settings.kafka_bootstrap_servers, topic, count)


async def test_every_event_is_handled_once_however_often_it_is_sent(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """The same events sent three times, in one batch and in several."""
    database = open_database("router")
    events = [envelope() for _ in range(50)]
    await publish(settings, publisher, [*events, *events])
    async with running(settings, database, publisher, Effects()):
        await wait_for(database, 50)
        last = envelope()
        await publish(settings, publisher, [*events, last])
        await wait_for(database, 51)
    assert await handled(database) == 51


async def test_what_was_handled_is_not_delivered_again_after_a_restart(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """Offsets were committed: the second consumer's first batch is the new event."""
    database = open_database("router")
    await publish(settings, publisher, [envelope() for _ in range(20)])
    async with running(settings, database, publisher, Effects()):
        await wait_for(database, 20)
    second = Effects()
    await publish(settings, publisher, [envelope()])
    async with running(settings, database, publisher, second):
        await wait_for(database, 21)
    assert second.batches == [1]


async def test_a_message_that_is_no_event_goes_to_the_dead_letters_and_the_partition_goes_on(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """With where it came from and what was wrong."""
    database = open_database("router")
    data = lead()
    good, bad = envelope(data).to_message(), envelope(data).to_message()
    bad.headers["ce_type"] = b"relance.nonsense.v9"
    await publish(settings, publisher, [good, bad, envelope(lead()).to_message()])
    async with running(settings, database, publisher, Effects()):
        await wait_for(database, 2)
        (letter,) = await dead_letters(settings, 1)
    headers = dict(letter.headers)
    assert letter.value == bad.value
    assert headers["dlq_topic"].decode() == settings.topic_prefix + Topic.RECEIVED
    assert headers["dlq_error"] == b"MalformedEvent"
    assert b"relance.nonsense.v9" in headers["dlq_reason"]
    assert {"dlq_partition", "dlq_offset", "dlq_time", "ce_id"} <= headers.keys()


async def test_a_dead_letter_too_large_for_kafka_is_kept_without_what_makes_it_so_and_the_partition_goes_on(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """As large as Kafka takes before the reason is added: the value is left out, or all headers but the reason."""
    database = open_database("router")
    data = lead()
    large_value, large_type, good = (envelope(data).to_message() for _ in range(3))
    large_value.headers["ce_type"] = b"relance.nonsense.v9"
    large_value = replace(large_value, value=b"x" * (MAX_MESSAGE_BYTES - 500))
    large_type.headers["ce_type"] = b"x" * (MAX_MESSAGE_BYTES - 2000)
    await publish(settings, publisher, [large_value, large_type, good])
    async with running(settings, database, publisher, Effects()):
        await wait_for(database, 1)
        letters = await dead_letters(settings, 2)
    values, headers = [letter.value for letter in letters], [dict(letter.headers) for letter in letters]
    assert (values, letters[0].key) == ([b"", b""], large_value.key.encode())
    assert headers[0].items() >= large_value.headers.items()
    assert [each["dlq_value_left_out"] for each in headers] == [
        f"{len(each.value)} bytes".encode() for each in (large_value, large_type)
    ]
    for each in headers:
        assert (each["dlq_error"], len(each["dlq_reason"]) < 5000) == (b"MalformedEvent", True)


async def test_a_fault_of_our_own_buries_its_message_only(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """The other messages of the batch are handled, in transactions of their own."""
    database = open_database("router")
    await publish(settings, publisher, [*(envelope() for _ in range(9)), envelope(lead(source="poison"))])
    async with running(settings, database, publisher, Effects(fail_permanently_on="poison")):
        await wait_for(database, 9)
        (letter,) = await dead_letters(settings, 1)
    assert dict(letter.headers)["dlq_error"] == b"ZeroDivisionError"
    assert await handled(database) == 9


async def test_a_consumer_without_the_key_to_what_is_sealed_ends_and_buries_nothing(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """With what says so: whoever has the keys handles the message."""
    database = open_database("router")
    await publish(settings, publisher, [envelope(lead(source="sealed"))])
    effects = Effects(fail_permanently_on="sealed", fault=CannotOpen())
    with pytest.raises(ExceptionGroup) as raised:
        async with running(settings, database, publisher, effects):
            await asyncio.wait_for(effects.entered.wait(), 30)
    assert raised.group_contains(CannotOpen)
    async with running(settings, database, publisher, Effects()):
        await wait_for(database, 1)


async def test_too_many_dead_letters_halt_the_consumer_and_say_what_to_do(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """The topic is not emptied into the dead letters; the rest waits for the mended code."""
    database = open_database("router")
    await publish(settings, publisher, [envelope(lead(source="poison")) for _ in range(6)])
    async with running(settings, database, publisher, Effects(fail_permanently_on="poison")) as consumer:
        await wait_until(lambda: consumer.halted is not None, what="the consumer to halt")
        assert "More than 5 messages" in str(consumer.halted)
    assert buried(settings) <= 5
    async with running(settings, database, publisher, Effects()):
        await wait_for(database, 6 - buried(settings))


async def test_a_passing_fault_loses_nothing(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """The same batch again, until it goes through."""
    database = open_database("router")
    await publish(settings, publisher, [envelope() for _ in range(30)])
    effects = Effects(fail_passingly=3)
    async with running(settings, database, publisher, effects):
        await wait_for(database, 30)
    assert effects.fail_passingly == 0
    assert await handled(database) == 30


async def test_two_consumers_share_and_a_rebalance_waits_for_the_batch_in_hand(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """A second consumer joins while the first one is in the middle of a batch; everything is handled once."""
    database = open_database("router")
    first, second = Effects(gate=asyncio.Event()), Effects()
    await publish(settings, publisher, [envelope() for _ in range(100)])
    async with running(settings, database, publisher, first):
        await first.entered.wait()
        async with running(settings, database, publisher, second):
            assert first.gate
            first.gate.set()
            sent = 100

            async def shared() -> bool:
                nonlocal sent
                await publish(settings, publisher, [envelope() for _ in range(40)])
                sent += 40
                return bool(second.batches)

            await wait_until(shared, what="the second consumer to have a part")
            await wait_for(database, sent)
    assert await handled(database) == sent
    assert sum(first.batches) + sum(second.batches) == sent


def lag(settings: ServiceSettings) -> dict[str, float]:
    """What is reported of the consumer, by partition."""
    group = settings.topic_prefix + GROUP
    (family,) = CONSUMER_LAG.collect()
    return {each.labels["partition"]: each.value for each in family.samples if each.labels["consumer"] == group}


def buried(settings: ServiceSettings) -> int:
    """How many messages became dead letters: of those that are too many, what came with the batches before the last."""
    said = {"consumer": settings.topic_prefix + GROUP, "outcome": "dead_letter"}
    (family,) = CONSUMED.collect()
    samples = [each for each in family.samples if each.name.endswith("_total")]
    return int(sum(each.value for each in samples if said.items() <= each.labels.items()))


async def test_lag_is_reported_of_every_partition_whether_or_not_it_is_read(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While there is nothing, while the same batch fails again and again, and while the consumer is halted."""
    monkeypatch.setattr(lag_module, "EVERY", timedelta(milliseconds=200))
    database = open_database("router")
    every = {str(partition) for partition in range(settings.topic_partitions)}
    effects = Effects()
    async with running(settings, database, publisher, effects) as consumer:
        await wait_until(lambda: lag(settings) == dict.fromkeys(every, 0), what="no lag, of every partition")
        effects.fail_passingly = 10_000
        await publish(settings, publisher, [envelope() for _ in range(20)])
        await wait_until(lambda: sum(lag(settings).values()) == 20, what="the lag of partitions that are paused")
        effects.fail_passingly = 0
        await wait_until(lambda: lag(settings) == dict.fromkeys(every, 0), what="no lag")
        effects.fail_permanently_on = "poison"
        await publish(settings, publisher, [envelope(lead(source="poison")) for _ in range(6)])
        await wait_until(lambda: consumer.halted is not None, what="the consumer to halt")
        await publish(settings, publisher, [envelope() for _ in range(30)])
        left = 36 - buried(settings)
        await wait_until(lambda: sum(lag(settings).values()) == left, what="the lag of a consumer that is halted")
        assert lag(settings).keys() == every


async def test_batches_do_not_wait_for_the_report_of_lag(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka does not answer how much there is; what there is goes on being handled, and the end does not wait."""
    asked = asyncio.Event()

    async def never(*_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(lag_module, "PATIENCE", timedelta(hours=1))
    monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", never)
    database = open_database("router")
    async with running(settings, database, publisher, Effects()):
        await asyncio.wait_for(asked.wait(), 30)
        await publish(settings, publisher, [envelope() for _ in range(20)])
        await wait_for(database, 20)


async def test_a_consumer_whose_report_of_lag_has_died_ends(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what killed it, so that the process stops; also while a batch fails again and again."""

    def dies(*_: object) -> None:
        raise ZeroDivisionError("a fault of our own")

    effects = Effects(fail_passingly=10_000)
    await publish(settings, publisher, [envelope()])
    database = open_database("router")
    consumer = BatchConsumer(
        Subscription(GROUP, (Topic.RECEIVED,), effects, lambda: None), settings, database, publisher
    )
    monkeypatch.setattr(lag_module, "EVERY", timedelta(milliseconds=200))
    task = asyncio.create_task(consumer.run())
    await asyncio.wait_for(effects.entered.wait(), 30)
    monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", dies)
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(task, 30)
    assert raised.group_contains(ZeroDivisionError)


async def test_how_far_the_effects_reach_is_written_with_them(
    settings: ServiceSettings, open_database: OpenDatabase, publisher: KafkaPublisher
) -> None:
    """By topic and partition; a batch that is delivered again moves nothing back."""
    database = open_database("router")

    async def reached() -> dict[tuple[str, str, int], int]:
        async with database.transaction() as connection:
            found = await connection.execute(text("SELECT consumer, topic, partition, next_offset FROM consumed"))
            return {(row.consumer, row.topic, row.partition): row.next_offset for row in found}

    await publish(settings, publisher, [envelope() for _ in range(40)])
    async with running(settings, database, publisher, Effects()):
        await wait_for(database, 40)
    before = await reached()
    assert sum(before.values()) == 40
    assert {key[:2] for key in before} == {(GROUP, "leads.received")}

    first, *others = before
    async with database.transaction() as connection:
        await inbox.advance(connection, GROUP, {first[1:]: 0} | {other[1:]: before[other] + 1 for other in others})
    assert await reached() == {first: before[first]} | {other: before[other] + 1 for other in others}
