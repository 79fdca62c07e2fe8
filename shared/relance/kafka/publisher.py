"""Sending to Kafka so that an acknowledged message is kept: acks=all, idempotent, in order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from relance.error_text import error_text
from relance.logs import get_logger

log = get_logger(__name__)

MAX_MESSAGE_BYTES = 2 * 1024 * 1024
_REQUEST_TIMEOUT_MS = 10_000
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class Message:
    """What is sent; `topic` is the full name, prefix included."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class KafkaPublisher:
    """A producer that is made when first needed and made anew after a failure.

    A service starts, and ingest accepts, while Kafka is away. An idempotent producer that has lost track of its
    sequence never recovers; a new one may repeat what the old one sent, which inboxes drop.
    """

    def __init__(self, bootstrap_servers: str, *, client_id: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def publish(self, messages: Sequence[Message]) -> tuple[int, BaseException | None]:
        """Send in order and wait for every acknowledgement.

        Returns how many from the start of the list are acknowledged, and what stopped the next one. Send everything
        from there again: a message that overtook a failed one is then repeated behind it. `MessageSizeTooLargeError`
        is that message's own: it will never be taken.

        Raises:
            KafkaError: the broker cannot be reached at all.
        """
        # One at a time, so that a failed producer is replaced once and order is the caller's.
        refused: MessageSizeTooLargeError | None = None
        async with self._lock:
            try:
                producer = await self._started()
                futures = []
                for message in messages:
                    try:
                        sent = await producer.send(message.topic, message.value, message.key, headers=message.headers)
                    except MessageSizeTooLargeError as error:
                        refused = error
                        break
                    futures.append(sent)
            except BaseException:
                await self._discard()
                raise
            outcomes = await asyncio.gather(*futures, return_exceptions=True)
            for place, outcome in enumerate(outcomes):
                if isinstance(outcome, BaseException):
                    await self._discard()
                    return place, outcome
            return len(futures), refused

    async def close(self) -> None:
        """Flush and disconnect."""
        await self._discard()

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap_servers,
                client_id=self._client_id,
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                max_request_size=MAX_MESSAGE_BYTES,
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await producer.stop()
        except Exception as error:
            log.warning("kafka producer did not close", error=error_text(error))
