"""Deadlines of windows, and what of a window has been used: the same for who promises them and who watches them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import overload

from relance.calendars.calendar import Calendar
from relance.calendars.working_time import FARTHEST_DEADLINE, DeadlineOutOfReach, after, between

Hold = tuple[datetime, datetime | None]
"""Since when and until when (aware) clocks stand still; None: until somebody releases them."""


@overload
def deadline(calendar: Calendar | None, begin: datetime, window: timedelta) -> datetime: ...
@overload
def deadline(
    calendar: Calendar | None, begin: datetime, window: timedelta, holds: Sequence[Hold]
) -> datetime | None: ...
def deadline(
    calendar: Calendar | None, begin: datetime, window: timedelta, holds: Sequence[Hold] = ()
) -> datetime | None:
    """When a window that begins at `begin` (aware) is over, in UTC; without a calendar, all time counts.

    Holds do not count; they come apart from each other, the earliest first. None when the window is not over before a
    hold that has no end.

    A calendar that has not that much working time within ten years gives ten years: no mistake in a calendar may stop
    leads from being assigned.
    """
    for since, until in holds:
        due = _deadline(calendar, begin, window)
        if due <= since:
            return due
        if until is None:
            return None
        if begin < until:
            window -= used(calendar, begin, since)
            begin = until
    return _deadline(calendar, begin, window)


def used(calendar: Calendar | None, begin: datetime, end: datetime, holds: Sequence[Hold] = ()) -> timedelta:
    """How much of a window passed from `begin` to `end`, without the holds; none when `end` comes first."""
    held = (_used(calendar, max(begin, since), min(end, until or end)) for since, until in holds)
    return _used(calendar, begin, end) - sum(held, start=timedelta())


def _deadline(calendar: Calendar | None, begin: datetime, window: timedelta) -> datetime:
    if calendar is None:
        return begin + window
    try:
        return after(calendar, begin, window)
    except DeadlineOutOfReach:
        return begin + FARTHEST_DEADLINE


def _used(calendar: Calendar | None, begin: datetime, end: datetime) -> timedelta:
    return max(end - begin, timedelta()) if calendar is None else between(calendar, begin, end)
