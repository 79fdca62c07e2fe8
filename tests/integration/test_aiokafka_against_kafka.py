"""aiokafka's own tests stop at Kafka 2.8: what we use of it is tested here, against the Kafka that we ship."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Literal

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaConnectionError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.produce import ProduceRequest

from relance_local.broker import Broker
from relance_local.conditions import wait_until
from relance_local.database_server import DatabaseServer

PARTITIONS = 4


@pytest.fixture
def servers(real_parts: tuple[DatabaseServer, Broker]) -> str:
    """Where Kafka is."""
    return real_parts[1].bootstrap_servers


async def create(servers: str, name: str) -> int:
    """Create a topic; returns Kafka's error code, 0 for none."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs={"retention.ms": "-1"})])
    finally:
        await admin.close()
    code: int = answer.topic_errors[0][1]  # type: ignore[attr-defined]
    return code


@pytest.fixture
async def topic(servers: str) -> str:
    """A topic of the test's own."""
    name = f"conformance.{uuid.uuid4().hex}"
    assert await create(servers, name) == 0
    return name


async def send(servers: str, topic: str, values: Sequence[bytes], *, partition: int = 0) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=partition)


def group_member(servers: str, topic: str, group: str) -> AIOKafkaConsumer:
    """A consumer as ours: it commits when told and starts at the beginning."""
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )


async def read(consumer: AIOKafkaConsumer, count: int) -> list[bytes]:
    """The next `count` messages."""
    async with asyncio.timeout(20):
        return [(await consumer.getone()).value or b"" for _ in range(count)]


async def read_all(servers: str, topic: str, isolation: Literal["read_committed", "read_uncommitted"]) -> list[bytes]:
    """What a reader sees of partition 0, up to where it may read."""
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=servers, isolation_level=isolation) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        seen: list[bytes] = []
        async with asyncio.timeout(20):
            while await consumer.position(partition) < end:
                for records in (await consumer.getmany(partition, timeout_ms=100)).values():
                    seen += [record.value or b"" for record in records]
        return seen


async def test_a_topic_is_created_with_its_partitions_and_settings_and_not_twice(servers: str, topic: str) -> None:
    """The second creation is refused by an error that we can tell."""
    assert await create(servers, topic) == TopicAlreadyExistsError.errno
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
        (configured,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    assert len(described["partitions"]) == PARTITIONS
    settings = {entry[0]: entry[1] for entry in configured.resources[0][4]}  # type: ignore[attr-defined]
    assert settings["retention.ms"] == "-1"


async def test_a_message_whose_acknowledgement_is_lost_is_stored_once(
    servers: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The idempotent producer sends it again, and Kafka recognises the repetition by its sequence."""
    async with AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True, acks="all") as producer:
        answers = producer.client.send
        lost = 0

        async def lose_the_first_acknowledgement(node: int, request: object, **how: object) -> object:
            nonlocal lost
            answer = await answers(node, request, **how)
            if isinstance(request, ProduceRequest) and not lost:
                lost += 1
                raise KafkaConnectionError("the connection broke after Kafka had stored the message")
            return answer

        monkeypatch.setattr(producer.client, "send", lose_the_first_acknowledgement)
        await producer.send_and_wait(topic, b"lead", partition=0)
    assert lost == 1
    assert await read_all(servers, topic, "read_committed") == [b"lead"]


async def test_offsets_move_only_by_a_commit_of_ours(servers: str, topic: str) -> None:
    """A member that reads without a commit leaves the messages to the next."""
    await send(servers, topic, [b"0", b"1", b"2", b"3"])
    partition = TopicPartition(topic, 0)
    async with group_member(servers, topic, f"{topic}.group") as first:
        assert await read(first, 3) == [b"0", b"1", b"2"]
        await first.commit({partition: 2})
    async with group_member(servers, topic, f"{topic}.group") as second:
        assert await second.committed(partition) == 2
        assert await read(second, 2) == [b"2", b"3"]


async def test_members_share_the_partitions_and_the_last_one_gets_them_all(servers: str, topic: str) -> None:
    """Joining and leaving rebalance the group."""
    everything = {TopicPartition(topic, number) for number in range(PARTITIONS)}
    async with group_member(servers, topic, f"{topic}.group") as staying:
        await wait_until(lambda: staying.assignment() == everything, what="one member to own all")
        async with group_member(servers, topic, f"{topic}.group") as leaving:
            await wait_until(
                lambda: (
                    len(staying.assignment()) == len(leaving.assignment()) == PARTITIONS // 2
                    and staying.assignment() | leaving.assignment() == everything
                ),
                what="two members to share",
            )
        await wait_until(lambda: staying.assignment() == everything, what="the member that stayed to own all again")


async def test_read_committed_skips_what_was_aborted_and_waits_for_what_is_open(servers: str, topic: str) -> None:
    """We use no transactions, but a message of somebody's aborted one must not become a lead."""
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topic) as producer:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"committed", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted", partition=0)
        await producer.abort_transaction()
        await send(servers, topic, [b"plain"])
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"open", partition=0)
        assert await read_all(servers, topic, "read_committed") == [b"committed", b"plain"]
        assert await read_all(servers, topic, "read_uncommitted") == [b"committed", b"aborted", b"plain", b"open"]
        await producer.commit_transaction()
    assert await read_all(servers, topic, "read_committed") == [b"committed", b"plain", b"open"]


async def test_a_topic_that_nobody_created_does_not_come_into_being(servers: str) -> None:
    """A typing error in a topic's name must fail, not lose leads in a topic that nobody reads."""
    name = f"conformance.{uuid.uuid4().hex}"
    async with AIOKafkaProducer(
        bootstrap_servers=servers, enable_idempotence=True, acks="all", request_timeout_ms=1000
    ) as producer:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.send_and_wait(name, b"lost")
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        assert name not in await admin.list_topics()
    finally:
        await admin.close()
