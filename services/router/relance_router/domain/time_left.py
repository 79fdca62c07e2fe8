"""How much time is left, in the words of a clock that is looked at in passing."""

from datetime import datetime, timedelta
from itertools import pairwise

_STEPS = (
    (timedelta(days=1), "d"),
    (timedelta(hours=1), "h"),
    (timedelta(minutes=1), "min"),
    (timedelta(seconds=1), "s"),
)


def duration_words(duration: timedelta) -> str:
    """The two largest units that it has, rounded down: `1 d 4 h`, `2 h 5 min`, `3 min`, `40 s`.

    From a minute on seconds are left out.
    """
    for (unit, name), (smaller, smaller_name) in pairwise(_STEPS):
        if duration >= unit:
            rest = (duration % unit) // smaller
            words = f"{duration // unit} {name}"
            return f"{words} {rest} {smaller_name}" if rest and smaller_name != "s" else words
    return f"{duration // timedelta(seconds=1)} s"


def time_left(respond_by: datetime, now: datetime) -> str:
    """`3 min left to respond`, or `window passed 2 min ago`."""
    if now < respond_by:
        return f"{duration_words(respond_by - now)} left to respond"
    return f"window passed {duration_words(now - respond_by)} ago"
