"""Creating topics, once, with their partition counts fixed: adding partitions later would move keys."""

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from relance.events import Topic
from relance.kafka.publisher import MAX_MESSAGE_BYTES
from relance.settings import ServiceSettings


def dead_letter_topic(group: str) -> str:
    """Where a consumer group puts what it cannot handle; `group` is the full name, prefix included."""
    return f"{group}.dlq"


async def create_topics(settings: ServiceSettings, groups: Iterable[str]) -> None:
    """Create the topics that are missing: the events', and each group's dead letters.

    Raises:
        KafkaError: the broker cannot be reached or refuses.
    """
    events = [
        NewTopic(settings.topic_prefix + topic, settings.topic_partitions, settings.topic_replication)
        for topic in Topic
    ]
    dead_letters = [
        NewTopic(
            dead_letter_topic(settings.topic_prefix + group),
            1,
            settings.topic_replication,
            topic_configs={"max.message.bytes": str(MAX_MESSAGE_BYTES), "retention.ms": "-1"},
        )
        for group in groups
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        answer = await admin.create_topics([*events, *dead_letters])
    finally:
        await admin.close()
    for name, code, *_ in answer.topic_errors:  # type: ignore[attr-defined]
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(f"Kafka refused to create topic {name}")
