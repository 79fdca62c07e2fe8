"""The leads that every contender reads: published once, read again from the start by each run."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from tests.bench.stage import PREFIX, Stage
from tests.topics import message_on

from relance import tracing
from relance.clock import utc_now
from relance.events import Contact, Envelope, LeadReceived, Topic
from relance.ids import EventId, LeadId, new_id
from relance.kafka.publisher import KafkaPublisher, Message
from relance_local.conditions import wait_until

TOPIC = PREFIX + Topic.RECEIVED
PARTITIONS = 12
_CHUNK = 1_000


async def publish(stage: Stage, count: int, advance: Callable[[int], None]) -> None:
    """Put `count` leads of as many persons on the topic, as ingest would; `advance` is told how many have gone."""
    publisher = KafkaPublisher(stage.broker.bootstrap_servers, client_id="bench")
    try:
        for first in range(0, count, _CHUNK):
            messages = list(_messages(first, min(count, first + _CHUNK)))
            _, failure = await publisher.publish(messages)
            if failure:
                raise failure
            advance(len(messages))
    finally:
        await publisher.close()


async def rewind(stage: Stage, group: str, *, offset: int = 0) -> None:
    """Have the group, whose members have all left, read each partition from `offset`."""
    start = {TopicPartition(TOPIC, number): offset for number in range(PARTITIONS)}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stage.broker.bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign(list(start))

        async def committed() -> bool:
            try:
                await consumer.commit(start)
            except KafkaError:
                return False  # a member that was killed is still counted as one, until its session is over
            return True

        await wait_until(committed, what=f"group {group} to be empty", limit=timedelta(seconds=30))
    finally:
        await consumer.stop()


def _messages(first: int, end: int) -> Iterator[Message]:
    for number in range(first, end):
        lead = _lead(number)
        event = Envelope(
            EventId(new_id()), "relance/ingest", lead.identity_key, lead.received_at, tracing.child_of(None), lead
        )
        yield message_on(TOPIC, event.to_message())


def _lead(number: int) -> LeadReceived:
    return LeadReceived(
        lead_id=LeadId(new_id()),
        source="website",
        channel="form",
        campaign="spring",
        received_at=utc_now(),
        identity_key=f"person-{number:08d}",
        contact=Contact(
            name=f"Maria Huber {number}",
            email=f"maria.huber.{number}@company-{number}.example",
            phone=f"+4930{number:08d}",
            company=f"Company {number}",
            country="DE",
        ),
        fields={"budget": "20k", "message": "Please call me back about the offer on your page.", "product": "solar"},
    )
