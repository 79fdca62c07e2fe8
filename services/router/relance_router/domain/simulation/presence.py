"""Who is here at any moment of a rehearsal, and what they have."""

from collections import Counter, defaultdict, deque
from datetime import date, datetime, timedelta

from relance.calendars import is_open, next_closing, next_opening
from relance_router.domain.availability import Availability, Load, day_begins, full, local_day, presence_calendar
from relance_router.domain.configuration import Configuration

_HOUR = timedelta(hours=1)


def presence_changes_after(configuration: Configuration, moment: datetime) -> datetime | None:
    """The next moment at which somebody may come or go by calendar, leave or a new day; None when there is none."""
    changes = [
        (next_closing if is_open(calendar, moment) else next_opening)(calendar, moment)
        for calendar in configuration.calendars
    ]
    by_day = {presence_calendar(configuration, rep) for rep in configuration.reps if rep.leave or rep.capacity.per_day}
    changes += [day_begins(calendar, local_day(calendar, moment) + timedelta(days=1)) for calendar in by_day]
    return min((change for change in changes if change and change > moment), default=None)


class PeopleInRehearsal:
    """Everybody, as decisions ask for them. `now` is moved on by the rehearsal, and never back."""

    def __init__(self, configuration: Configuration, now: datetime) -> None:
        self.now = now
        self._configuration = configuration
        self._open: Counter[str] = Counter()
        self._within_an_hour: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._today: Counter[str] = Counter()
        self._days: dict[str, date] = {}
        self.look()

    def look(self) -> None:
        """Look at the calendars; to be called whenever `presence_changes_after` says."""
        self._by_calendar = Availability(self._configuration, self.now)
        self._away = {rep.id: self._by_calendar.absence(rep.id) for rep in self._configuration.reps}
        for rep in self._configuration.reps:
            if rep.capacity.per_day:
                day = local_day(presence_calendar(self._configuration, rep), self.now)
                if self._days.get(rep.id) != day:
                    self._days[rep.id], self._today[rep.id] = day, 0

    def absence(self, rep: str) -> str | None:
        """Why a rep takes no lead now."""
        return self._away[rep] or full(self._configuration.reps_by_id[rep].capacity, self.load(rep))

    def load(self, rep: str) -> Load:
        """The leads that a rep has now; those of the hour and the day only where they are limited."""
        recent = self._within_an_hour.get(rep)
        while recent and recent[0] <= self.now - _HOUR:
            recent.popleft()
        return Load(self._open[rep], len(recent or ()), self._today[rep])

    def back(self, rep: str) -> datetime | None:
        """When a rep who is away by calendar or leave is back; None for who is not, or will not be."""
        return self._by_calendar.back(rep)

    def given(self, rep: str) -> None:
        """The rep has one lead more."""
        capacity = self._configuration.reps_by_id[rep].capacity
        self._open[rep] += 1
        if capacity.per_hour:
            self._within_an_hour[rep].append(self.now)
        if capacity.per_day:
            self._today[rep] += 1

    def ended(self, rep: str) -> None:
        """The rep has one lead less in hand."""
        self._open[rep] -= 1

    def hour_ends(self, rep: str) -> datetime | None:
        """When a rep who has got all that they take in an hour may take one more; None for who has not."""
        limit = self._configuration.reps_by_id[rep].capacity.per_hour
        recent = self._within_an_hour.get(rep)
        return recent[0] + _HOUR if limit and recent and len(recent) >= limit else None
