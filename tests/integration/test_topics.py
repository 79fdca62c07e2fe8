"""Promises of the topics: how long they keep what, also where they had been created before."""

from datetime import timedelta

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from relance.events import Topic
from relance.kafka.publisher import MAX_MESSAGE_BYTES
from relance.kafka.topics import create_topics, dead_letter_topic
from relance.settings import ServiceSettings
from relance_local.conditions import wait_until

LARGEST = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}


async def own_settings(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4] if entry[3] == 1}  # type: ignore[attr-defined]


async def test_topics_keep_what_happened_for_ever_and_contact_data_for_days(settings: ServiceSettings) -> None:
    """As they are created; and as settings say, also on topics that exist, whose other settings stay."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        names = {topic: settings.topic_prefix + topic for topic in Topic}
        assert {topic: await own_settings(admin, name) for topic, name in names.items()} == {
            topic: {**LARGEST, "retention.ms": "604800000" if topic is Topic.RECEIVED else "-1"} for topic in Topic
        }
        dead = dead_letter_topic(f"{settings.topic_prefix}tested")
        assert (await own_settings(admin, dead))["retention.ms"] == "2592000000"
        grown = ConfigResource(ConfigResourceType.TOPIC, names[Topic.SLA], {"max.message.bytes": "2000000"})
        await admin.alter_configs([grown])

        async def grew() -> bool:
            return await own_settings(admin, names[Topic.SLA]) == {"max.message.bytes": "2000000"}

        await wait_until(grew, what="the broker to say what was set")
        changed = settings.model_copy(
            update={
                "topic_retention_received": timedelta(days=2),
                "topic_retention_dead_letters": timedelta(days=3),
            }
        )
        await create_topics(changed, ["tested"])

        async def shorter() -> bool:
            return (
                await own_settings(admin, names[Topic.RECEIVED]) == {**LARGEST, "retention.ms": "172800000"}
                and (await own_settings(admin, dead))["retention.ms"] == "259200000"
                and await own_settings(admin, names[Topic.SLA])
                == {"retention.ms": "-1", "max.message.bytes": "2000000"}
            )

        # A broker takes up what its controller has accepted a moment later.
        await wait_until(shorter, what="leads to be kept for two days, dead letters for three, and all else for ever")
        assert "max.message.bytes" in await own_settings(admin, dead)
    finally:
        await admin.close()
