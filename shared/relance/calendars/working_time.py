"""Working time on a calendar: when it is, when it begins and ends, and when a duration of it has passed."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from relance.calendars.calendar import ALWAYS_OPEN, Calendar
from relance.calendars.intervals import Interval, clipped, merged
from relance.calendars.wall_clock import shown_between

FORESIGHT = timedelta(days=366)
"""How far ahead the next opening or closing is looked for."""
FARTHEST_DEADLINE = timedelta(days=3660)
"""How far ahead a deadline may lie."""

_DAY = timedelta(days=1)


class DeadlineOutOfReach(ValueError):
    """The calendar has not that much working time within ten years. Mend the calendar or the duration."""


def open_intervals(calendar: Calendar, since: datetime, until: datetime) -> Iterator[Interval]:
    """The working time from `since` until before `until`: in order, as few intervals as possible, computed as asked."""
    return merged(_pieces(calendar, _in_utc(since), _in_utc(until)))


def is_open(calendar: Calendar, moment: datetime) -> bool:
    """Whether this moment is working time."""
    moment = _in_utc(moment)
    return any(begin <= moment < end for begin, end in _days(calendar)(moment.date()))


def next_opening(calendar: Calendar, moment: datetime) -> datetime | None:
    """The first moment of working time: `moment` itself when open, None when there is none within 366 days."""
    moment = _in_utc(moment)
    return next((begin for begin, _ in _pieces(calendar, moment, moment + FORESIGHT)), None)


def next_closing(calendar: Calendar, moment: datetime) -> datetime | None:
    """The first moment outside working time: `moment` itself when closed, None when there is none within 366 days."""
    moment = _in_utc(moment)
    horizon = moment + FORESIGHT
    first = next(open_intervals(calendar, moment, horizon), None)
    if first is None or moment < first.begin:
        return moment
    return first.end if first.end < horizon else None


def after(calendar: Calendar, begin: datetime, duration: timedelta) -> datetime:
    """The first moment at which `duration` of working time has passed since `begin`: a deadline.

    What ends exactly when people go home is due then, not on the next morning. No duration at all has passed at
    `begin` itself when open, else at the next opening, as the smallest duration would.

    Raises:
        ValueError: `duration` is negative.
        DeadlineOutOfReach: not within ten years.
    """
    begin = _in_utc(begin)
    if duration < timedelta():
        raise ValueError("a duration of working time cannot be negative")
    left = duration
    for opens, closes in _pieces(calendar, begin, begin + FARTHEST_DEADLINE):
        if left <= closes - opens:
            return opens + left
        left -= closes - opens
    raise DeadlineOutOfReach(
        f"calendar {calendar.id!r} has not {duration} of working time within ten years after {begin.isoformat()}:"
        " mend its hours and overrides, or ask for less"
    )


def between(calendar: Calendar, begin: datetime, end: datetime) -> timedelta:
    """The working time that passes from `begin` to `end`; none when `end` comes first."""
    return sum((closes - opens for opens, closes in _pieces(calendar, _in_utc(begin), _in_utc(end))), start=timedelta())


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: give an aware datetime")
    return moment.astimezone(UTC)


def _pieces(calendar: Calendar, since: datetime, until: datetime) -> Iterator[Interval]:
    """The working time from `since` until before `until`, in order, cut at midnights (UTC)."""
    if calendar == ALWAYS_OPEN:
        yield from clipped([Interval(since, until)], since, until)
        return
    working_time_on = _days(calendar)
    for day in range(since.toordinal(), until.toordinal() + 1):
        yield from clipped(working_time_on(date.fromordinal(day)), since, until)


# Two levels: a calendar that came in an event is compared with the one in the cache once, not once for each day.
@lru_cache(maxsize=256)
def _days(calendar: Calendar) -> Callable[[date], tuple[Interval, ...]]:
    """The working time in any one day of UTC, remembered for as many days as a deadline looks through, and some."""
    return lru_cache(maxsize=4096)(partial(_working_time, calendar))


# By days of UTC, not of the calendar's zone: these come one after the other and never overlap, whatever clocks on
# walls do, and a moment's day is known without its zone.
def _working_time(calendar: Calendar, day: date) -> tuple[Interval, ...]:
    zone = ZoneInfo(calendar.zone)
    midnight = datetime.combine(day, time())
    shown = sorted(
        interval
        # Local dates differ by up to one from the date in UTC, and a span may begin on the day before.
        for local_midnight in (midnight + away * _DAY for away in range(-2, 2))
        for span in calendar.spans(local_midnight.date())
        for interval in shown_between(zone, local_midnight + span.begin, local_midnight + span.end)
    )
    begin = midnight.replace(tzinfo=UTC)
    return tuple(merged(clipped(shown, begin, begin + _DAY)))
