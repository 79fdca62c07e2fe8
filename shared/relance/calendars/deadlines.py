"""Deadlines of windows, and what of a window has been used: the same for who promises them and who watches them."""

from datetime import datetime, timedelta

from relance.calendars.calendar import Calendar
from relance.calendars.working_time import FARTHEST_DEADLINE, DeadlineOutOfReach, after, between


def deadline(calendar: Calendar | None, begin: datetime, window: timedelta, holds=()):
    for since, until in holds:
        if until is not None and until <= begin:
            continue
        counted = used(calendar, begin, since)
        if window <= counted and begin < since:
            return _deadline(calendar, begin, window)
        window -= counted
        if until is None:
            return None
        begin = until
    return _deadline(calendar, begin, window)


def _deadline(calendar: Calendar | None, begin: datetime, window: timedelta) -> datetime:
    """When a window that begins at `begin` (aware) is over, in UTC; without a calendar, all time counts.

    A calendar that has not that much working time within ten years gives ten years: no mistake in a calendar may stop
    leads from being assigned.
    """
    if calendar is None:
        return begin + window
    try:
        return after(calendar, begin, window)
    except DeadlineOutOfReach:
        return begin + FARTHEST_DEADLINE


def used(calendar: Calendar | None, begin: datetime, end: datetime) -> timedelta:
    """How much of a window passed from `begin` to `end`; none when `end` comes first."""
    return max(end - begin, timedelta()) if calendar is None else between(calendar, begin, end)
