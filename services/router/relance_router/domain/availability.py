"""Who can take a lead at one moment, and why the others cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from relance.calendars import ALWAYS_OPEN, Calendar, closed_because, next_opening
from relance_router.domain.configuration import Capacity, Configuration, Leave, Rep


@dataclass(frozen=True)
class Load:
    """Leads that a rep has: not yet contacted, given within the last 60 minutes, and today in the rep's zone."""

    open: int = 0
    last_hour: int = 0
    today: int = 0

    def plus(self, leads: int) -> "Load":
        """With so many more; given back or ended ones count as open only."""
        given = max(leads, 0)
        return Load(self.open + leads, self.last_hour + given, self.today + given)


class Availability:
    """Everybody's availability at one moment; from then on only leads given and ended change it."""

    def __init__(
        self,
        configuration: Configuration,
        moment: datetime,
        *,
        pauses: Mapping[str, str] | None = None,
        loads: Mapping[str, Load] | None = None,
    ) -> None:
        """`pauses` gives the reason of each paused rep; who has no load has no lead."""
        self._configuration = configuration
        self._moment = moment
        self._pauses = pauses or {}
        self._loads = dict(loads or {})
        self._backs: dict[str, datetime | None] = {}

    def absence(self, rep: str) -> str | None:
        """Why a rep takes no lead; None for who does."""
        found = self._configuration.reps_by_id.get(rep)
        if found is None:
            return "no longer in the configuration"
        if not found.available:
            return "not available"
        if rep in self._pauses:
            return f"paused: {self._pauses[rep]}"
        return self._away(found) or full(found.capacity, self.load(rep))

    def paused(self, rep: str) -> str | None:
        """Why a rep is paused; None for who is not."""
        return self._pauses.get(rep)

    def load(self, rep: str) -> Load:
        """The leads that a rep has."""
        return self._loads.get(rep, _NOTHING)

    def back(self, rep: str) -> datetime | None:
        """When a rep who is away by calendar or leave is back, in UTC; None for who is here, or will not be back."""
        if rep not in self._backs:
            self._backs[rep] = _back(self._configuration, self._configuration.reps_by_id[rep], self._moment)
        return self._backs[rep]

    def given(self, rep: str) -> None:
        """The rep has one lead more."""
        self._loads[rep] = self.load(rep).plus(1)

    def ended(self, rep: str) -> None:
        """The rep has one lead less in hand."""
        self._loads[rep] = self.load(rep).plus(-1)

    def _away(self, rep: Rep) -> str | None:
        calendar = presence_calendar(self._configuration, rep)
        if rep.leave:
            leave = _leave_on(rep.leave, local_day(calendar, self._moment))
            if leave:
                return f"on leave until {leave.last:%Y-%m-%d}"
        return self._closed[calendar.id] if calendar is not ALWAYS_OPEN else None

    @cached_property
    def _closed(self) -> dict[str, str | None]:
        # Asked for every rep, and the same for all who share a calendar.
        return {each.id: closed_because(each, self._moment) for each in self._configuration.calendars}


def presence_calendar(configuration: Configuration, rep: Rep) -> Calendar:
    """When a rep takes leads: by their own calendar, else always.

    A team's calendar has no say in it: in it windows count, for who has none (`Configuration.window_calendar`).
    """
    return configuration.calendars_by_id[rep.calendar] if rep.calendar else ALWAYS_OPEN


def local_day(calendar: Calendar, moment: datetime) -> date:
    """The day that it is in the calendar's zone."""
    return moment.astimezone(ZoneInfo(calendar.zone)).date()


def day_begins(calendar: Calendar, day: date) -> datetime:
    """When a day begins in the calendar's zone, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(calendar.zone)).astimezone(UTC)


def _back(configuration: Configuration, rep: Rep, moment: datetime) -> datetime | None:
    if not rep.available:
        return None
    calendar = presence_calendar(configuration, rep)
    back: datetime | None = moment
    for _ in range(len(rep.leave) + 1):
        back = next_opening(calendar, back) if back else None
        leave = _leave_on(rep.leave, local_day(calendar, back)) if back else None
        if leave is None:
            break
        back = day_begins(calendar, leave.last + timedelta(days=1))
    return back if back and back > moment else None


def _leave_on(leaves: tuple[Leave, ...], day: date) -> Leave | None:
    return next((leave for leave in leaves if leave.first <= day <= leave.last), None)


def full(capacity: Capacity, load: Load) -> str | None:
    """Which limit a load has reached, in words; None when there is room for one more."""
    if capacity.open is not None and load.open >= capacity.open:
        return f"has {load.open} open leads, which is the most they take"
    if capacity.per_hour is not None and load.last_hour >= capacity.per_hour:
        return f"got {load.last_hour} leads within the hour, which is the most they take"
    if capacity.per_day is not None and load.today >= capacity.per_day:
        return f"got {load.today} leads today, which is the most they take"
    return None


_NOTHING = Load()
