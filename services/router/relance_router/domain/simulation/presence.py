"""When anybody's presence may change by the clock alone, and the loads that limits by the hour and day need."""

from collections import Counter, defaultdict, deque
from datetime import datetime, timedelta

from relance.calendars import is_open, next_closing, next_opening
from relance_router.domain.availability import Load, calendar_of, day_begins, local_day
from relance_router.domain.configuration import Configuration

_HOUR = timedelta(hours=1)
_LOOK_EVERY = timedelta(minutes=1)
"""How exactly limits by the hour are rehearsed."""


def presence_changes_after(configuration: Configuration, moment: datetime) -> datetime | None:
    """The next moment at which somebody may come or go; None when nobody will by the clock."""
    changes = [
        (next_closing if is_open(calendar, moment) else next_opening)(calendar, moment)
        for calendar in configuration.calendars
    ]
    for rep in configuration.reps:
        if rep.leave or rep.capacity.per_day:
            calendar = calendar_of(configuration, rep)
            changes.append(day_begins(calendar, local_day(calendar, moment) + timedelta(days=1)))
    if any(rep.capacity.per_hour for rep in configuration.reps):
        changes.append(moment + _LOOK_EVERY)
    return min((change for change in changes if change and change > moment), default=None)


class LoadHistory:
    """Everybody's load at any moment of the rehearsal."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._open: Counter[str] = Counter()
        self._recent: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._timed = {rep.id for rep in configuration.reps if rep.capacity.per_hour or rep.capacity.per_day}

    def given(self, rep: str, moment: datetime) -> None:
        """A rep got a lead."""
        self._open[rep] += 1
        if rep in self._timed:
            self._recent[rep].append(moment)

    def ended(self, rep: str) -> None:
        """A rep has one lead less in hand."""
        self._open[rep] -= 1

    def at(self, moment: datetime) -> dict[str, Load]:
        """Everybody's load now; moments must not go back."""
        return {rep: self._load(rep, moment) for rep in self._open}

    def _load(self, rep: str, moment: datetime) -> Load:
        if rep not in self._timed:
            return Load(self._open[rep])
        calendar = calendar_of(self._configuration, self._configuration.reps_by_id[rep])
        today = day_begins(calendar, local_day(calendar, moment))
        recent = self._recent[rep]
        while recent and recent[0] < min(today, moment - _HOUR):
            recent.popleft()
        return Load(
            self._open[rep], sum(each > moment - _HOUR for each in recent), sum(each >= today for each in recent)
        )
