"""How much of what is consumed is not committed yet, told beside the work: Kafka may be slow to say it."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from relance.logs import get_logger
from relance.metrics import CONSUMER_LAG
from relance.ticker import Wake

log = get_logger(__name__)

EVERY = timedelta(seconds=5)
PATIENCE = timedelta(seconds=3)


class LagReport:
    """The lag of one group's partitions that are here, also of those where nothing is read."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._wake = Wake()
        self._kept: Collection[TopicPartition] = ()

    def soon(self) -> None:
        """Report now."""
        self._wake.nudge()

    def keep(self, partitions: Collection[TopicPartition]) -> None:
        """Go on with these, though the consumer leaves them."""
        self._kept = partitions

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Report until cancelled. A fault of Kafka passes; any other ends it."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE.total_seconds()):
                    await self._report(consumer)
            except (KafkaError, TimeoutError) as error:
                log.warning("lag not known", consumer=self._group, error=repr(error))
            await self._wake.sleep(EVERY)

    async def _report(self, consumer: AIOKafkaConsumer) -> None:
        partitions = sorted(self._kept or consumer.assignment())
        if not partitions:
            return
        ends, begins, *committed = await asyncio.gather(
            consumer.end_offsets(partitions),
            consumer.beginning_offsets(partitions),
            *(consumer.committed(partition) for partition in partitions),
        )
        for partition, reached in zip(partitions, committed, strict=True):
            if partition not in (self._kept or consumer.assignment()):
                continue  # revoked meanwhile: its new owner reports it
            lag = max(0, ends[partition] - (begins[partition] if reached is None else reached))
            CONSUMER_LAG.labels(self._group, partition.topic, str(partition.partition)).set(lag)
