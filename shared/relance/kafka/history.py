"""What topics hold of the past, read from its beginning by somebody who is in no consumer group."""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import stamina
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code

from relance.settings import ServiceSettings

BATCH = 1000
_POLL_MS = 500
_ATTEMPTS = 6


@dataclass(frozen=True)
class Extent:
    """Offsets of one partition: its oldest message, the next one to come, and how far its group has come."""

    begins: int
    ends: int
    committed: int | None


class History:
    """Reads topics, and stores for a group without members where it is to go on."""

    def __init__(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, group: str) -> None:
        self._consumer = consumer
        self._admin = admin
        self._group = group

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: ServiceSettings, group: str) -> AsyncIterator["History"]:
        """The topics as this group sees them; `group` is its name without the prefix."""
        name = settings.topic_prefix + group
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            group_id=name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=BATCH,
        )
        try:
            await admin.start()
            await consumer.start()
            yield cls(consumer, admin, name)
        finally:
            await consumer.stop()
            await admin.close()

    async def members(self) -> int:
        """How many consumers the group has."""
        (described,) = await self._described()
        ((code, _, _, _, _, members, *_),) = described.groups  # type: ignore[attr-defined]
        if code:
            raise for_code(code)(f"Kafka does not say who is in group {self._group}")
        return len(members)

    # A new broker has no coordinators until somebody asks for one.
    @stamina.retry(on=lambda error: isinstance(error, KafkaError) and error.retriable, attempts=_ATTEMPTS)
    async def _described(self) -> Sequence[object]:
        found: Sequence[object] = await self._admin.describe_consumer_groups([self._group])
        return found

    async def extents(self, topics: Iterable[str]) -> dict[TopicPartition, Extent]:
        """How far each partition of these topics (full names) reaches.

        Raises:
            KafkaError: a topic does not exist, for one.
        """
        found: list[TopicPartition] = []
        for described in await self._admin.describe_topics(list(topics)):
            if described["error_code"]:
                raise for_code(described["error_code"])(f"topic {described['topic']}")
            found += [TopicPartition(described["topic"], each["partition"]) for each in described["partitions"]]
        # Assigned, so that the consumer knows where they are.
        self._consumer.assign(found)
        begins, ends = await self._consumer.beginning_offsets(found), await self._consumer.end_offsets(found)
        return {
            partition: Extent(begins[partition], ends[partition], await self._consumer.committed(partition))
            for partition in sorted(found)
        }

    async def read(self, until: Mapping[TopicPartition, int]) -> "AsyncIterator[list[ConsumerRecord[bytes, bytes]]]":
        """Everything before these offsets, in the order in which Kafka took it, some at a time."""
        self._consumer.assign(list(until))
        await self._consumer.seek_to_beginning(*until)
        fetched: dict[TopicPartition, deque[ConsumerRecord[bytes, bytes]]] = {each: deque() for each in until}
        batch: list[ConsumerRecord[bytes, bytes]] = []
        while fetched:
            empty = [partition for partition, records in fetched.items() if not records]
            for partition in empty:
                if await self._consumer.position(partition) >= until[partition]:
                    del fetched[partition]
            wanted = [partition for partition in empty if partition in fetched]
            if wanted:
                polled = await self._consumer.getmany(*wanted, timeout_ms=_POLL_MS)
                for partition, records in polled.items():
                    fetched[partition] += (record for record in records if record.offset < until[partition])
            batch += _merged(fetched)
            while len(batch) >= BATCH:
                yield batch[:BATCH]
                del batch[:BATCH]
        if batch:
            yield batch

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store where the group is to go on.

        Raises:
            CommitFailedError: the group has members.
        """
        await self._consumer.commit(dict(offsets))


def _merged(
    fetched: "Mapping[TopicPartition, deque[ConsumerRecord[bytes, bytes]]]",
) -> "Iterator[ConsumerRecord[bytes, bytes]]":
    """The oldest first, taken away, as long as each partition has one: what is not fetched yet may be older."""
    if not all(fetched.values()):
        return
    oldest = [(records[0].timestamp, partition) for partition, records in fetched.items()]
    heapify(oldest)
    while oldest:
        _, partition = heappop(oldest)
        yield fetched[partition].popleft()
        if not fetched[partition]:
            return
        heappush(oldest, (fetched[partition][0].timestamp, partition))
