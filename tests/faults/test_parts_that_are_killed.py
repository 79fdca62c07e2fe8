"""What PostgreSQL and Kafka acknowledged is there after a kill. Each test has a part of its own."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from relance_local.broker import Broker, fetch_kafka
from relance_local.database_server import DatabaseServer
from relance_local.stack import CACHE

TOPIC = "kept"


@pytest.fixture
async def server() -> AsyncIterator[DatabaseServer]:
    """A running PostgreSQL that a test may kill."""
    with tempfile.TemporaryDirectory(prefix="relance-killed-", ignore_cleanup_errors=True) as folder:
        made = DatabaseServer(Path(folder))
        try:
            await made.start()
            yield made
        finally:
            await made.stop()


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    """A running Kafka with one topic of one partition, that a test may kill."""
    jars = await asyncio.to_thread(fetch_kafka, CACHE)
    with tempfile.TemporaryDirectory(prefix="relance-killed-", ignore_cleanup_errors=True) as folder:
        made = Broker(Path(folder), jars)
        try:
            await made.start()
            admin = AIOKafkaAdminClient(bootstrap_servers=made.bootstrap_servers)
            await admin.start()
            await admin.create_topics([NewTopic(TOPIC, 1, 1)])
            await admin.close()
            yield made
        finally:
            await made.stop()


async def stored(broker: Broker) -> list[bytes]:
    """Every message of the topic, in order."""
    partition = TopicPartition(TOPIC, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, isolation_level="read_committed")
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[bytes] = []
        async with asyncio.timeout(30):
            while await consumer.position(partition) < end:
                batches = await consumer.getmany(partition, timeout_ms=200)
                found += [record.value or b"" for records in batches.values() for record in records]
        return found
    finally:
        await consumer.stop()


def producer_for(broker: Broker) -> AIOKafkaProducer:
    """A producer as ours: it knows of nothing until Kafka has kept it."""
    return AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, enable_idempotence=True, acks="all")


async def insert(connection: asyncpg.Connection, number: int) -> None:
    await connection.execute("INSERT INTO kept VALUES ($1)", number)


async def test_committed_rows_are_there_after_a_kill_and_a_restart_of_postgresql(server: DatabaseServer) -> None:
    """And what was not committed is not. Thrice, since recovery must leave a server that can be killed again."""
    connection = await server.connect("postgres")
    await connection.execute("CREATE TABLE kept (number int)")
    for number in range(3):
        await insert(connection, number)
        open_transaction = connection.transaction()
        await open_transaction.start()
        await insert(connection, -1)
        address = server.url("postgres", "postgres")
        await server.kill()
        connection.terminate()
        await server.start()
        assert server.url("postgres", "postgres") == address
        connection = await server.connect("postgres")
    rows = await connection.fetch("SELECT number FROM kept ORDER BY number")
    assert [row["number"] for row in rows] == [0, 1, 2]
    await connection.close()


async def test_postgresql_starts_again_on_its_data_after_a_stop(server: DatabaseServer) -> None:
    """Stopped in order, with a session still open."""
    connection = await server.connect("postgres")
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    await server.stop()
    connection.terminate()
    await server.start()
    connection = await server.connect("postgres")
    assert await connection.fetchval("SELECT number FROM kept") == 1
    assert await connection.fetchval("SHOW max_connections") == "300"
    assert await connection.fetchval("SHOW fsync") == "on"
    await connection.close()


async def test_an_acknowledged_message_is_there_after_a_kill_and_a_restart_of_kafka(broker: Broker) -> None:
    """Thrice, with a new producer each time."""
    for number in range(3):
        producer = producer_for(broker)
        await producer.start()
        await producer.send_and_wait(TOPIC, str(number).encode())
        broker.process.kill()
        await producer.stop()
        address = broker.bootstrap_servers
        await broker.start()
        assert broker.bootstrap_servers == address
    assert await stored(broker) == [b"0", b"1", b"2"]


async def test_a_producer_that_sends_through_a_kill_of_kafka_keeps_order_and_repeats_nothing(broker: Broker) -> None:
    """The idempotent producer survives the broker's death: its sequence is rebuilt from the log."""
    producer = producer_for(broker)
    await producer.start()
    try:
        sent = [await producer.send(TOPIC, str(number).encode()) for number in range(200)]
        broker.process.kill()
        sent += [await producer.send(TOPIC, str(number).encode()) for number in range(200, 400)]
        await broker.start()
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    assert await stored(broker) == [str(number).encode() for number in range(400)]
