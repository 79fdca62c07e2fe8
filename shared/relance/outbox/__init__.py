"""The transactional outbox: events are written beside the effects they tell of, and published from there."""

from relance.outbox.append import append, columns
from relance.outbox.relay import OutboxRelay

__all__ = ["OutboxRelay", "append", "columns"]
