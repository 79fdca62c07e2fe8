"""The transactional outbox: events are written beside the effects they tell of, and published from there."""

from relance.outbox.append import append, columns
from relance.outbox.relay import OutboxRelay, check_waiting
from relance.resealing import SealedColumn

WAITING_EVENTS = SealedColumn("outbox", "payload", "document", key_type="bigint")
"""While Kafka is away they stay."""

__all__ = ["WAITING_EVENTS", "OutboxRelay", "append", "check_waiting", "columns"]
