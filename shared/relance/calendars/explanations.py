"""Why nobody works now, in a sentence for people."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from relance.calendars.calendar import WEEKDAYS, Calendar
from relance.calendars.working_time import is_open, next_opening


def closed_because(calendar: Calendar, moment: datetime) -> str | None:
    """Such as "outside working hours (opens Mon 09:00 Europe/Berlin)"; None when open."""
    if is_open(calendar, moment):
        return None
    today = moment.astimezone(ZoneInfo(calendar.zone)).date()
    return f"{_reason(calendar, today)} ({_opening(calendar, moment, today)})"


def _reason(calendar: Calendar, today: date) -> str:
    if holiday := calendar.holiday(today):
        return f"public holiday: {holiday}"
    if calendar.overrides.get(today) == ():
        return f"closed on {today}"
    return "outside working hours"


def _opening(calendar: Calendar, moment: datetime, today: date) -> str:
    opening = next_opening(calendar, moment)
    if opening is None:
        return "does not open within a year"
    local = opening.astimezone(ZoneInfo(calendar.zone))
    weekday = WEEKDAYS[local.weekday()].capitalize()
    # A weekday names one of the next six days and no other.
    day = weekday if local.date() - today < timedelta(days=7) else f"{weekday} {local.date()}"
    return f"opens {day} {local:%H:%M} {calendar.zone}"
