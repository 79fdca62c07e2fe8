"""Deadlines of windows, and what of a window has been used: the same for who promises them and who watches them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import overload

from relance.calendars.calendar import Calendar
from relance.calendars.working_time import FARTHEST_DEADLINE, DeadlineOutOfReach, after, between

Holds = Sequence[tuple[datetime, datetime | None]]
"""Since when and until when time does not count; None: nobody knows yet. Apart from each other, the earliest first."""


@overload
def deadline(calendar: Calendar | None, begin: datetime, window: timedelta) -> datetime: ...


@overload
def deadline(calendar: Calendar | None, begin: datetime, window: timedelta, holds: Holds) -> datetime | None: ...


def deadline(calendar: Calendar | None, begin: datetime, window: timedelta, holds: Holds = ()) -> datetime | None:
    """When a window that begins at `begin` (aware) is over, in UTC; without a calendar, all time counts.

    None when that depends on how long a hold will last. A calendar that has not that much working time within ten years
    gives ten years: no mistake in a calendar may stop leads from being assigned.
    """
    for since, until in holds:
        if until is not None and until <= begin:
            continue
        before = used(calendar, begin, since)
        if begin < since and window <= before:
            break
        if until is None:
            return None
        window -= before
        begin = until
    return _without_holds(calendar, begin, window)


def _without_holds(calendar: Calendar | None, begin: datetime, window: timedelta) -> datetime:
    if calendar is None:
        return begin + window
    try:
        return after(calendar, begin, window)
    except DeadlineOutOfReach:
        return begin + FARTHEST_DEADLINE


def used(calendar: Calendar | None, begin: datetime, end: datetime) -> timedelta:
    """How much of a window passed from `begin` to `end`; none when `end` comes first."""
    return max(end - begin, timedelta()) if calendar is None else between(calendar, begin, end)
