"""A business calendar as it stands in routing.yaml, and travels in events as JSON."""

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from typing_extensions import override

from relance.calendars.hours import Hours, Span
from relance.calendars.public_holidays import PublicHolidays

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a plain name, a folder of zones
        nearest = get_close_matches(name, available_timezones(), n=1) or ["Europe/Berlin"]
        raise ValueError(f"{name!r} is no time zone: write an IANA name such as {nearest[0]}") from None
    return name


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # Only one way to write a day, or an entry could silently win over another for the same one.
    if day is None or day.isoformat() != text:
        raise ValueError(f"{text!r} is no day: write it such as 2026-12-24")
    return day


Zone = Annotated[str, AfterValidator(_zone)]
Day = Annotated[date, BeforeValidator(_day)]


class Calendar(BaseModel):
    """When people work. A moment is working time exactly when the clock on their wall then shows a working hour.

    So an hour that a clock change skips is no working time, and an hour that it repeats is working time twice.
    A span over midnight belongs to the day on which it begins: a holiday on the next day does not cut it short.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Appears in metrics, events and addresses.")
    zone: Zone = Field(description="IANA time zone of the hours, such as Europe/Berlin.")
    hours: Mapping[Weekday, Hours] = Field(description="Working hours of each day of the week; missing: closed.")
    holidays: PublicHolidays | None = Field(None, description="Days that are closed whatever `hours` says.")
    overrides: Mapping[Day, Hours] = Field(
        default_factory=dict, description="Working hours of single days, which win over `hours` and `holidays`."
    )

    @field_validator("overrides", mode="before")
    @classmethod
    def _days_as_text(cls, overrides: object) -> object:
        # YAML makes dates of them, which pydantic would not name as they stand in the file.
        return {str(day): hours for day, hours in overrides.items()} if isinstance(overrides, Mapping) else overrides

    @override
    def __hash__(self) -> int:
        """Cheap, for it keys caches; calendars with the same id in one process are few."""
        return hash((self.id, self.zone))

    def holiday(self, day: date) -> str | None:
        """What the public holiday that closes this day is called; None when none does."""
        if self.holidays is None or day in self.overrides:
            return None
        return self.holidays.name(day)

    def spans(self, day: date) -> tuple[Span, ...]:
        """The working hours that begin on this day in the calendar's zone."""
        if day in self.overrides:
            return self.overrides[day]
        return () if self.holiday(day) else self.hours.get(WEEKDAYS[day.weekday()], ())


ALWAYS_OPEN = Calendar.model_validate(
    {"id": "always-open", "zone": "UTC", "hours": dict.fromkeys(WEEKDAYS, "00:00-24:00")}
)
"""Every moment is working time."""
