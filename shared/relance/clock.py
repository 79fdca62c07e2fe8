"""Where the time of day comes from when no database transaction gives it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns an aware datetime in UTC."""


def utc_now() -> datetime:
    """The machine's time, aware, in UTC. Deadlines and claims use the database's clock instead."""
    return datetime.now(UTC)
