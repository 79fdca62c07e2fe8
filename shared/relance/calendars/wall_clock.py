"""From what a clock on the wall shows to real time, over clock changes."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from relance.calendars.intervals import Interval


def shown_between(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[Interval]:
    """When a clock in `zone` shows a time from `begin` until before `end`, both naive and at most two days apart.

    One interval as a rule; none when a clock change skips all of these times; two when a change turns the clock back
    over some of them.
    """
    before = _offset(begin.replace(tzinfo=zone, fold=0))
    later = _offset(end.replace(tzinfo=zone, fold=1))
    begin, end = begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    if before == later:
        yield Interval(begin - before, end - before)
        return
    change = _change(zone, begin - max(before, later), end - min(before, later))
    for interval in (
        Interval(begin - before, min(end - before, change)),
        Interval(max(begin - later, change), end - later),
    ):
        if interval.begin < interval.end:
            yield interval


def _offset(moment: datetime) -> timedelta:
    """How far the clock that shows it is ahead of UTC."""
    return moment.replace(tzinfo=UTC) - moment


def _change(zone: ZoneInfo, since: datetime, until: datetime) -> datetime:
    """The first moment (UTC, to the second) of the offset that holds at `until`; until it, another one holds."""
    new = _offset(until.astimezone(zone))
    seconds = range((until - since) // timedelta(seconds=1))
    return since + timedelta(
        seconds=bisect_left(
            seconds, True, key=lambda second: _offset((since + timedelta(seconds=second)).astimezone(zone)) == new
        )
    )
