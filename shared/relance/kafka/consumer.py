"""The one consumer loop: poll a batch, handle it in one transaction, then commit its offsets.

What always holds:
- The offset moves only after the database has committed, or after the dead letter has been acknowledged.
- A passing fault pauses the partitions and tries the same batch again; nothing is skipped.
- A message that can never be handled goes to the dead letters, and the partition goes on. Too many of them halt it.
- A revoked partition waits for the batch in hand. When it cannot wait any longer the batch is dropped uncommitted,
  and the next owner gets it; the inbox makes a double handling harmless.
- Slow handling means less polling, not more memory.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, MessageSizeTooLargeError
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from relance import faults, inbox
from relance.backoff import Backoff
from relance.clock import utc_now
from relance.database import Database
from relance.error_text import error_text
from relance.events import Envelope, MalformedEvent, Topic
from relance.kafka.dead_letters import DeadLetterLimit, dead_letter, smaller
from relance.kafka.lag import LagReport
from relance.kafka.publisher import KafkaPublisher
from relance.kafka.topics import dead_letter_topic
from relance.logs import get_logger
from relance.metrics import CONSUMED, CONSUMER_BATCH, CONSUMER_HALTED, CONSUMER_LAG, CONSUMER_RETRIES
from relance.personal_data import CannotOpen
from relance.settings import ServiceSettings

log = get_logger(__name__)

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
Handle = Callable[[AsyncConnection, Sequence[Envelope]], Awaitable[None]]
"""Makes the effects of events that were not handled before, inside the transaction given to it."""

_POLL_MS = 500
_REVOCATION_PATIENCE = timedelta(seconds=15)


@dataclass(frozen=True)
class Subscription:
    """Who consumes what. `group` and `topics` are names without the prefix."""

    group: str
    topics: tuple[Topic, ...]
    handle: Handle
    on_committed: Callable[[], None]
    """Called after a batch is committed, to nudge whatever works on what it wrote."""


class BatchConsumer:
    """Runs one subscription."""

    def __init__(
        self,
        subscription: Subscription,
        settings: ServiceSettings,
        database: Database,
        publisher: KafkaPublisher,
    ) -> None:
        self._subscription = subscription
        self._settings = settings
        self._database = database
        self._publisher = publisher
        self._group = settings.topic_prefix + subscription.group
        self._limit = DeadLetterLimit(settings.dead_letter_limit)
        self._stopping = asyncio.Event()
        self._lag = LagReport(self._group)
        self._rebalance = _WaitForBatch(self._group, self._lag.soon)
        self.halted: str | None = None
        """Why the consumer stopped for good, for /readyz; None while it works."""
        # From the start, so that the first one is seen to be one more than none.
        CONSUMER_HALTED.labels(self._group).set(0)
        CONSUMER_RETRIES.labels(self._group)
        for topic in subscription.topics:
            CONSUMED.labels(self._group, settings.topic_prefix + topic, "dead_letter")

    async def check(self) -> None:
        """For /readyz.

        Raises:
            RuntimeError: the consumer has halted; says what to do.
        """
        if self.halted:
            raise RuntimeError(self.halted)

    def request_stop(self) -> None:
        """Finish the batch in hand, commit its offsets, leave the group."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until stopped. After a halt, wait for the operator.

        Raises:
            ExceptionGroup: a fault that will not pass, of the work or of the report of lag; both have ended.
        """
        backoff = Backoff()
        while not self._stopping.is_set():
            consumer = self._new_consumer()
            try:
                await consumer.start()
                backoff.reset()
                async with asyncio.TaskGroup() as together:
                    lag = together.create_task(self._lag.run(consumer))
                    await self._consume(consumer)
                    if self.halted:
                        await self._stand_halted(consumer)
                    lag.cancel()
            except* KafkaError as errors:
                delay = backoff.advance()
                log.warning(
                    "consumer lost Kafka",
                    consumer=self._group,
                    error="; ".join(map(error_text, errors.exceptions)),
                    retry_in_seconds=delay.total_seconds(),
                )
                await self._pause(delay)
            finally:
                await consumer.stop()

    def _new_consumer(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            group_id=self._group,
            client_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=_POLL_MS,
            max_poll_records=self._settings.consumer_batch,
        )
        consumer.subscribe(
            [self._settings.topic_prefix + topic for topic in self._subscription.topics],
            listener=self._rebalance,
        )
        return consumer

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        while not self._stopping.is_set() and not self.halted:
            polled = await consumer.getmany(timeout_ms=_POLL_MS)
            if not polled:
                continue
            async with self._rebalance.batch_in_hand:
                with CONSUMER_BATCH.labels(self._group).time():
                    if await self._handle_until_done(consumer, polled):
                        await self._commit(consumer, polled)

    async def _stand_halted(self, consumer: AIOKafkaConsumer) -> None:
        """Leave the group, and tell how much waits until the service is stopped: a restart would only repeat it."""
        self._lag.keep(consumer.assignment())
        consumer.unsubscribe()
        await self._stopping.wait()

    async def _handle_until_done(self, consumer: AIOKafkaConsumer, polled: dict[TopicPartition, list[Record]]) -> bool:
        """Handle the batch, however often it takes. False when it was given up, to be delivered again."""
        backoff = Backoff()
        records = [record for batch in polled.values() for record in batch]
        while True:
            try:
                await self._handle(records)
            except Exception as error:
                if not faults.is_transient(error):
                    raise
                CONSUMER_RETRIES.labels(self._group).inc()
                delay = backoff.advance()
                log.warning(
                    "batch failed, trying it again",
                    consumer=self._group, error=error_text(error), retry_in_seconds=delay.total_seconds(),
                )  # fmt: skip
                if not await self._wait_with_partitions_paused(consumer, polled, delay):
                    return False
            else:
                return self.halted is None

    async def _handle(self, records: list[Record]) -> None:
        events: list[tuple[Record, Envelope]] = []
        dead: list[tuple[Record, Exception]] = []
        for record in records:
            try:
                events.append((record, Envelope.from_message(record.headers, record.value)))
            except MalformedEvent as error:
                dead.append((record, error))
        try:
            await self._effect(events)
        except Exception as error:
            if not _is_of_message(error):
                raise
            log.exception("batch refused, trying its messages one by one", consumer=self._group)
            dead += await self._one_by_one(events)
        if dead:
            await self._bury(dead)
        for topic, count in Counter(record.topic for record in records).items():
            CONSUMED.labels(self._group, topic, "taken").inc(count)

    async def _one_by_one(self, events: Sequence[tuple[Record, Envelope]]) -> list[tuple[Record, Exception]]:
        dead: list[tuple[Record, Exception]] = []
        for record, event in events:
            try:
                await self._effect([(record, event)])
            except Exception as error:
                if not _is_of_message(error):
                    raise
                dead.append((record, error))
        return dead

    async def _effect(self, taken: Sequence[tuple[Record, Envelope]]) -> None:
        if not taken:
            return
        events = {event.id: event for _, event in taken}
        async with self._database.transaction() as connection:
            new = await inbox.claim(connection, self._subscription.group, list(events))
            await inbox.advance(connection, self._subscription.group, self._reached(taken))
            fresh = [event for event in events.values() if event.id in new]
            if fresh:
                await self._subscription.handle(connection, fresh)
        self._subscription.on_committed()

    def _reached(self, taken: Sequence[tuple[Record, Envelope]]) -> dict[tuple[str, int], int]:
        prefix = self._settings.topic_prefix
        # A partition's records come in the order of their offsets: the last one counts.
        return {(record.topic.removeprefix(prefix), record.partition): record.offset + 1 for record, _ in taken}

    async def _bury(self, dead: Sequence[tuple[Record, Exception]]) -> None:
        now = utc_now()
        if self._limit.exceeded_by(len(dead), now):
            self.halted = (
                f"More than {self._settings.dead_letter_limit} messages could not be handled within an hour; consumer "
                f"{self._group} has stopped. Look at {dead_letter_topic(self._group)}, mend the cause, then restart."
            )
            CONSUMER_HALTED.labels(self._group).set(1)
            log.critical("consumer halted", consumer=self._group, reason=self.halted)
            return
        letters = [dead_letter(record, dead_letter_topic(self._group), error, now) for record, error in dead]
        while letters:
            sent, failure = await self._publisher.publish(letters)
            letters = letters[sent:]
            if isinstance(failure, MessageSizeTooLargeError) and (less := smaller(letters[0])) != letters[0]:
                letters[0] = less
            elif failure:
                raise failure
        self._limit.count(len(dead), now)
        for record, error in dead:
            CONSUMED.labels(self._group, record.topic, "dead_letter").inc()
            log.error(
                "message buried",
                consumer=self._group, topic=record.topic, partition=record.partition, offset=record.offset,
                error=type(error).__name__,
            )  # fmt: skip

    async def _wait_with_partitions_paused(
        self, consumer: AIOKafkaConsumer, polled: dict[TopicPartition, list[Record]], delay: timedelta
    ) -> bool:
        """Wait while staying in the group. False when the partitions were taken away or the service is stopping."""
        mine = consumer.assignment()
        consumer.pause(*mine)
        try:
            # Polling paused partitions returns nothing; it is what tells the group that this consumer is alive.
            await consumer.getmany(timeout_ms=int(delay.total_seconds() * 1000))
        finally:
            consumer.resume(*(mine & consumer.assignment()))
        given_up = self._stopping.is_set() or self._rebalance.revoking
        return not given_up and polled.keys() <= consumer.assignment()

    async def _commit(self, consumer: AIOKafkaConsumer, polled: dict[TopicPartition, list[Record]]) -> None:
        offsets = {partition: records[-1].offset + 1 for partition, records in polled.items()}
        try:
            await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            # The partition has a new owner, who will see these messages again and find them handled.
            log.warning("offsets not committed", consumer=self._group, error=error_text(error))

    async def _pause(self, delay: timedelta) -> None:
        try:
            async with asyncio.timeout(delay.total_seconds()):
                await self._stopping.wait()
        except TimeoutError:
            return


def _is_of_message(error: Exception) -> bool:
    """Neither a fault that passes, nor one of how this process is set up: that one would bury every message."""
    return not (faults.is_transient(error) or isinstance(error, CannotOpen))


class _WaitForBatch(ConsumerRebalanceListener):
    """Lets the batch in hand finish before its partitions go to another consumer."""

    def __init__(self, group: str, on_assigned: Callable[[], None]) -> None:
        self._group = group
        self._on_assigned = on_assigned
        self.batch_in_hand = asyncio.Lock()
        self.revoking = False
        """Set while a revocation waits: a batch that is only being retried should be given up."""

    @override
    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self.revoking = True
        try:
            async with asyncio.timeout(_REVOCATION_PATIENCE.total_seconds()), self.batch_in_hand:
                pass
        except TimeoutError:
            log.warning("partitions revoked with a batch in hand", partitions=len(revoked))
        finally:
            self.revoking = False

    @override
    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        # Of partitions that another has now, this lag would stand for ever.
        CONSUMER_LAG.remove_by_labels({"consumer": self._group})
        self._on_assigned()
        log.info("partitions assigned", partitions=len(assigned))
