"""Parts wired by hand against the real PostgreSQL and Kafka."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from pydantic_core import MultiHostUrl

from relance.database import Database
from relance.kafka.publisher import KafkaPublisher
from relance.kafka.topics import create_topics
from relance.personal_data import PersonalData
from relance.settings import ServiceSettings
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import ROUTER

OpenDatabase = Callable[..., Database]
"""Opens the test's database as one service (its schema, its role), with keys of personal data and a timeout."""


@pytest.fixture
async def open_database(real_parts: tuple[DatabaseServer, Broker], database: str) -> AsyncIterator[OpenDatabase]:
    """Databases that are closed when the test ends."""
    server, _ = real_parts
    async with AsyncExitStack() as closing:
        # On a busy machine those who take turns at one row need more than a service's 5 s.
        def opened(
            schema: str, personal_data: PersonalData | None = None, patience: timedelta = timedelta(seconds=30)
        ) -> Database:
            url = MultiHostUrl(server.url(schema, database))
            found = Database(url, schema=schema, pool_size=10, timeout=patience, personal_data=personal_data)
            closing.push_async_callback(found.close)
            return found

        yield opened


@pytest.fixture
async def settings(real_parts: tuple[DatabaseServer, Broker], database: str) -> ServiceSettings:
    """Settings with topics of the test's own, which exist."""
    server, broker = real_parts
    made = ServiceSettings(
        database_url=MultiHostUrl(server.url("router", database)),
        kafka_bootstrap_servers=broker.bootstrap_servers,
        topic_prefix=f"t{uuid.uuid4().hex}.",
        topic_partitions=4,
        dead_letter_limit=5,
    )
    await create_topics(made, ["tested"])
    return made


@pytest.fixture
async def publisher(settings: ServiceSettings) -> AsyncIterator[KafkaPublisher]:
    """A publisher that is closed when the test ends."""
    made = KafkaPublisher(settings.kafka_bootstrap_servers, client_id="tests")
    yield made
    await made.close()


@pytest.fixture
def router_database(open_database: OpenDatabase) -> Database:
    """The router's tables."""
    return open_database(ROUTER)
