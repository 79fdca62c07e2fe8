"""Topics as tests see them: what stands on one from the beginning, and what is put on one."""

import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from relance.events.envelope import KafkaMessage
from relance.kafka.publisher import Message


def from_the_beginning(servers: str, topic: str) -> AIOKafkaConsumer:
    """A reader in no group; `async with` starts and stops it."""
    return AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")


async def first_messages(servers: str, topic: str, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    """The first ones, once so many are there."""
    async with from_the_beginning(servers, topic) as consumer:
        return [await asyncio.wait_for(consumer.getone(), 30) for _ in range(count)]


def message_on(topic: str, made: KafkaMessage) -> Message:
    """An event's message for a topic (its full name)."""
    return Message(topic, made.key.encode(), made.value, list(made.headers.items()))
