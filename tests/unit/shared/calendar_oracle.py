"""The slow, obviously right calendar, and calendars and moments to compare on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from holidays import country_holidays
from hypothesis import strategies as st

from relance.calendars import Calendar

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",  # half an hour off the others
    "Australia/Lord_Howe",  # changes by half an hour
    "Asia/Kathmandu",  # 05:45, never changes
    "Africa/Casablanca",  # changes around Ramadan
    "Africa/Cairo",  # skips and repeats the hour at midnight
    "America/Nuuk",  # repeats the last hour of a Saturday
    "Pacific/Apia",  # 13 hours ahead
    "Pacific/Pago_Pago",  # 11 hours behind
)
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Written:
    """A calendar as a person writes it: each day's hours as the texts of its spans."""

    zone: str
    hours: Mapping[str, Sequence[str]]
    country: str | None
    overrides: Mapping[date, Sequence[str]]

    def calendar(self) -> Calendar:
        """The same, read by the code under test."""
        return Calendar.model_validate(
            {
                "id": "written",
                "zone": self.zone,
                "hours": self.hours,
                "holidays": {"country": self.country} if self.country else None,
                "overrides": self.overrides,
            }
        )

    def on(self, day: date) -> Sequence[str]:
        """The spans that begin on that day."""
        if day in self.overrides:
            return self.overrides[day]
        if self.country and is_holiday(self.country, day):
            return []
        return self.hours.get(WEEKDAYS[day.weekday()], [])

    def is_open(self, moment: datetime) -> bool:
        """Look at the clock on the wall, then at the hours."""
        wall = moment.astimezone(ZoneInfo(self.zone))
        shown = wall.hour * 60 + wall.minute
        for begin, end in map(minutes, self.on(wall.date())):
            if begin <= shown and (shown < end or end < begin):
                return True
        return any(end < begin and shown < end for begin, end in map(minutes, self.on(wall.date() - DAY)))

    def open_minutes(self, since: datetime, until: datetime) -> list[datetime]:
        """Every whole minute of working time from `since` until before `until`."""
        walk = (since + count * MINUTE for count in range((until - since) // MINUTE))
        return [minute for minute in walk if self.is_open(minute)]


@cache
def minutes(span: str) -> tuple[int, int]:
    """The times at which it begins and ends, in minutes since midnight."""
    begin, end = (int(time[:2]) * 60 + int(time[3:]) for time in span.split("-"))
    return begin, end


@cache
def is_holiday(country: str, day: date) -> bool:
    """Asked of the package one day at a time."""
    return day in country_holidays(country)


@cache
def clock_changes(zone: str) -> Sequence[datetime]:
    """Every change (UTC) of the zone's offset between FIRST and LAST."""
    info = ZoneInfo(zone)
    steps = [FIRST + count * timedelta(minutes=30) for count in range((LAST - FIRST) // timedelta(minutes=30))]
    offsets = [step.astimezone(info).utcoffset() for step in steps]
    return [steps[at] for at in range(1, len(steps)) if offsets[at] != offsets[at - 1]]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def day_hours(draw: st.DrawFn) -> list[str]:
    """Up to three spans, the last of which may go over midnight."""
    edges = sorted(draw(st.sets(st.integers(0, 95), max_size=6)))
    times = [_clock(15 * edge) for edge in edges[: len(edges) // 2 * 2]]
    spans = [f"{begin}-{end}" for begin, end in zip(times[::2], times[1::2], strict=True)]
    late_end = draw(st.sampled_from(["00:00", "06:00", "14:30", "24:00", None]))
    if spans and late_end and (late_end < spans[-1][:5] or late_end == "24:00"):
        spans[-1] = f"{spans[-1][:5]}-{late_end}"
    return spans


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """Whole minutes in UTC, half of them near a change of the zone's clocks."""
    changes = clock_changes(zone)
    near_a_change = draw(st.booleans())
    if changes and near_a_change:
        return draw(st.sampled_from(changes)) + draw(st.integers(-36 * 60, 6 * 60)) * MINUTE
    return FIRST + draw(st.integers(0, (LAST - FIRST) // MINUTE)) * MINUTE


@st.composite
def calendars_and_moments(draw: st.DrawFn) -> tuple[Written, datetime]:
    """A calendar, and a moment near which it has overrides."""
    zone = draw(st.sampled_from(ZONES))
    moment = draw(moments(zone))
    near = st.integers(-2, 6).map(lambda days: moment.date() + days * DAY)
    written = Written(
        zone,
        draw(st.dictionaries(st.sampled_from(WEEKDAYS), day_hours(), min_size=1)),
        draw(st.sampled_from([None, "DE", "US", "AT"])),
        draw(st.dictionaries(near, day_hours(), max_size=3)),
    )
    return written, moment
