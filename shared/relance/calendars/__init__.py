"""Business calendars: when people work."""

from relance.calendars.calendar import ALWAYS_OPEN, Calendar
from relance.calendars.hours import Hours, Span
from relance.calendars.public_holidays import PublicHolidays

__all__ = ["ALWAYS_OPEN", "Calendar", "Hours", "PublicHolidays", "Span"]
