"""What happens to a message that can never be handled: kept with its origin and reason, within a limit."""

from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta

from aiokafka import ConsumerRecord

from relance.error_text import error_text
from relance.kafka.publisher import Message

WINDOW = timedelta(hours=1)
_REASON_CHARACTERS = 2000


def dead_letter(record: "ConsumerRecord[bytes, bytes]", topic: str, error: BaseException, now: datetime) -> Message:
    """The message as it came, with where it came from and why it died."""
    reason = {
        "dlq_topic": record.topic,
        "dlq_partition": str(record.partition),
        "dlq_offset": str(record.offset),
        "dlq_error": type(error).__name__,
        "dlq_reason": error_text(error)[:_REASON_CHARACTERS],
        "dlq_time": now.isoformat(),
    }
    headers = [*record.headers, *((name, value.encode()) for name, value in reason.items())]
    # aiokafka sends no message that has neither key nor value.
    return Message(topic, record.key, record.value or b"", headers)


def smaller(letter: Message) -> Message:
    """A letter that is too large for Kafka without its value, or else with nothing but why it died."""
    if letter.value:
        left_out = ("dlq_value_left_out", f"{len(letter.value)} bytes".encode())
        return replace(letter, value=b"", headers=[*letter.headers, left_out])
    return replace(letter, key=None, headers=[header for header in letter.headers if header[0].startswith("dlq_")])


class DeadLetterLimit:
    """When too much is dying, the fault is ours: stop rather than empty the topic into the dead letters."""

    def __init__(self, limit: int) -> None:
        """`limit` is how many may die within `WINDOW`."""
        self._limit = limit
        self._deaths: deque[datetime] = deque()

    def exceeded_by(self, count: int, now: datetime) -> bool:
        """Whether `count` more deaths would be over the limit."""
        while self._deaths and self._deaths[0] <= now - WINDOW:
            self._deaths.popleft()
        return len(self._deaths) + count > self._limit

    def count(self, count: int, now: datetime) -> None:
        """So many have died."""
        self._deaths.extend([now] * count)
