"""Creating topics, once, with their partition counts fixed: adding partitions later would move keys.

How long they keep messages is set each time: what happened with leads for ever, so that it can be counted anew, and
leads themselves, which hold contact data, for some days. Dead letters may hold it too: long enough to be looked at.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from relance.events import Topic
from relance.kafka.publisher import MAX_MESSAGE_BYTES
from relance.settings import ServiceSettings

RETENTION = "retention.ms"
_LARGEST = "max.message.bytes"
_SET_ON_TOPIC = 1
"""Kafka's code for settings that were set on the topic itself."""


def dead_letter_topic(group: str) -> str:
    """Where a consumer group puts what it cannot handle; `group` is the full name, prefix included."""
    return f"{group}.dlq"


async def create_topics(settings: ServiceSettings, groups: Iterable[str]) -> None:
    """Create the topics that are missing: the events', and each group's dead letters; set how long events are kept.

    Raises:
        KafkaError: the broker cannot be reached or refuses.
    """
    kept = {
        settings.topic_prefix + topic: _milliseconds(
            settings.topic_retention_received if topic is Topic.RECEIVED else settings.topic_retention
        )
        for topic in Topic
    }
    events = [
        NewTopic(
            name,
            settings.topic_partitions,
            settings.topic_replication,
            topic_configs={_LARGEST: str(MAX_MESSAGE_BYTES), RETENTION: retention},
        )
        for name, retention in kept.items()
    ]
    forgotten = _milliseconds(settings.topic_retention_dead_letters)
    dead = {dead_letter_topic(settings.topic_prefix + group): forgotten for group in groups}
    dead_letters = [
        NewTopic(
            name,
            1,
            settings.topic_replication,
            topic_configs={_LARGEST: str(MAX_MESSAGE_BYTES), RETENTION: retention},
        )
        for name, retention in dead.items()
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        answer = await admin.create_topics([*events, *dead_letters])
        there = set()
        for name, code, *_ in answer.topic_errors:  # type: ignore[attr-defined]
            error = for_code(code)
            if error is TopicAlreadyExistsError:
                there.add(name)
            elif code:
                raise error(f"Kafka refused to create topic {name}")
        await _keep(admin, {name: retention for name, retention in (kept | dead).items() if name in there})
    finally:
        await admin.close()


async def _keep(admin: AIOKafkaAdminClient, kept: Mapping[str, str]) -> None:
    """Set how long these topics keep messages, where they do not yet."""
    if not kept:
        return
    described = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in kept])
    changed: list[ConfigResource] = []
    for code, message, _, name, entries in (each for part in described for each in part.resources):  # type: ignore[attr-defined]
        if code:
            raise for_code(code)(f"Kafka does not say how topic {name} is set up: {message}")
        # Kafka forgets every setting of the topic that is not sent along.
        own = {entry[0]: entry[1] for entry in entries if entry[3] == _SET_ON_TOPIC}
        if own.get(RETENTION) != kept[name]:
            changed.append(ConfigResource(ConfigResourceType.TOPIC, name, own | {RETENTION: kept[name]}))
    if not changed:
        return
    for part in await admin.alter_configs(changed):
        for code, message, _, name in part.resources:  # type: ignore[attr-defined]
            if code:
                raise for_code(code)(f"Kafka refused to set {RETENTION} of topic {name}: {message}")


def _milliseconds(kept: timedelta | None) -> str:
    return "-1" if kept is None else str(kept // timedelta(milliseconds=1))
