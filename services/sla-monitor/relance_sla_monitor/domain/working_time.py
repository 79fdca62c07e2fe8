"""When a duration of working time has passed. Calendars of working hours take the place of `AlwaysOpen`."""

from datetime import datetime, timedelta
from typing import Protocol


class Calendar(Protocol):
    """Knows working time from other time."""

    def after(self, start: datetime, working: timedelta) -> datetime:
        """The first moment (aware, UTC) at which `working` time has passed since `start`."""


class AlwaysOpen:
    """Every moment is working time."""

    def after(self, start: datetime, working: timedelta) -> datetime:
        """Plain addition: in UTC there is no clock change."""
        return start + working
