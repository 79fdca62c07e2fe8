"""Business calendars: when people work, when they open next, and when a duration of working time has passed.

Pure functions over frozen models. Every moment is an aware datetime; results are in UTC.
"""

from relance.calendars.calendar import ALWAYS_OPEN, Calendar
from relance.calendars.deadlines import Hold, deadline, used
from relance.calendars.explanations import closed_because
from relance.calendars.hours import Hours, Span
from relance.calendars.intervals import Interval
from relance.calendars.public_holidays import PublicHolidays
from relance.calendars.working_time import (
    DeadlineOutOfReach,
    after,
    between,
    is_open,
    next_closing,
    next_opening,
    open_intervals,
)

__all__ = [
    "ALWAYS_OPEN",
    "Calendar",
    "DeadlineOutOfReach",
    "Hold",
    "Hours",
    "Interval",
    "PublicHolidays",
    "Span",
    "after",
    "between",
    "closed_because",
    "deadline",
    "is_open",
    "next_closing",
    "next_opening",
    "open_intervals",
    "used",
]
