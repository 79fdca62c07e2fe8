"""Calendars in whose working time windows count, and that have none."""

from collections.abc import Iterator

from relance.calendars import Calendar
from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.faults.fault import Fault, Severity
from relance_router.domain.configuration.field_types import Path


def endless_windows(configuration: Configuration) -> Iterator[Fault]:
    """As warnings: windows that are over in ten years, as long as nobody mends the hours."""
    users: list[tuple[Path, str, str | None]] = [
        (("reps", place, "calendar"), f"rep {rep.id!r}", rep.calendar) for place, rep in enumerate(configuration.reps)
    ]
    users += [
        (("teams", place, "calendar"), f"team {team.id!r}", team.calendar)
        for place, team in enumerate(configuration.teams)
    ]
    for path, who, name in users:
        calendar = configuration.calendars_by_id.get(name or "")
        if calendar and not has_hours(calendar):
            reason = f"calendar {calendar.id!r} has no hours: windows of {who} are over in ten years"
            yield Fault(path, reason, Severity.WARNING)


def has_hours(calendar: Calendar) -> bool:
    """Whether there is any working time, holidays aside."""
    return any(calendar.hours.values()) or any(calendar.overrides.values())
