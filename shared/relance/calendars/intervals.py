"""Stretches of real time."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple


class Interval(NamedTuple):
    """From `begin` until before `end`, both aware, in UTC."""

    begin: datetime
    end: datetime


def clipped(intervals: Iterable[Interval], since: datetime, until: datetime) -> Iterator[Interval]:
    """What of them lies from `since` until before `until`."""
    for begin, end in intervals:
        part = Interval(max(begin, since), min(end, until))
        if part.begin < part.end:
            yield part


def merged(intervals: Iterable[Interval]) -> Iterator[Interval]:
    """Those that overlap or touch, made one; they come ordered by their begin."""
    current: Interval | None = None
    for interval in intervals:
        if current is None or current.end < interval.begin:
            if current:
                yield current
            current = interval
        elif current.end < interval.end:
            current = Interval(current.begin, interval.end)
    if current:
        yield current
