"""Promises of dead letters and their limit."""

from datetime import UTC, datetime, timedelta

from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from relance.kafka.dead_letters import WINDOW, DeadLetterLimit, dead_letter

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 4)), max_size=30), st.integers(1, 10))
def test_the_limit_is_over_when_too_many_died_within_the_hour(deaths: list[tuple[int, int]], limit: int) -> None:
    """Against counting all of them every time."""
    policy = DeadLetterLimit(limit)
    history: list[datetime] = []
    now = NOW
    for minutes, count in deaths:
        now += timedelta(minutes=minutes)
        history += [now] * count
        recent = [moment for moment in history if moment > now - WINDOW]
        # However often it is asked, as while Kafka is away: what could not be buried yet has not died twice.
        assert [policy.exceeded_by(count, now) for _ in range(3)] == [len(recent) > limit] * 3
        policy.count(count, now)


def test_a_message_that_has_neither_key_nor_value_can_be_buried() -> None:
    """Which `AIOKafkaProducer.send` takes as little as any producer of ours, but Kafka does."""
    record: ConsumerRecord[bytes, bytes] = ConsumerRecord("t", 0, 7, 0, 0, None, None, None, 0, 0, ())
    assert dead_letter(record, "t.dlq", ValueError(), NOW).value == b""
