"""Durations and moments as the board writes them; pages/live.js writes them alike."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def written(duration: timedelta) -> str:
    """`4:05` below an hour, then `2 h 05 min`, then `3 d 4 h`; the sign is left out."""
    seconds = int(abs(duration.total_seconds()))
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}:{seconds % _MINUTE:02}"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02} min"
    return f"{seconds // _DAY} d {seconds % _DAY // _HOUR} h"


def time_left(deadline: datetime, now: datetime) -> str:
    """What is left until a deadline; with a minus once it has passed."""
    return written(deadline - now) if deadline > now else f"-{written(now - deadline)}"


def time_of_day(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """`14:05`, with the weekday when it is not today's."""
    there = moment.astimezone(zone)
    today = there.date() == now.astimezone(zone).date()
    return f"{there:%H:%M}" if today else f"{there:%a %H:%M}"
