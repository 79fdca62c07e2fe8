"""Promises of working time: against a clock on the wall that is looked at every minute, and by example."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.shared.calendar_oracle import MINUTE, Written, calendars_and_moments

from relance.calendars import (
    ALWAYS_OPEN,
    Calendar,
    DeadlineOutOfReach,
    Interval,
    after,
    between,
    closed_because,
    is_open,
    next_closing,
    next_opening,
    open_intervals,
)

HOUR = timedelta(hours=1)
ZERO = timedelta()
WINDOW = 48 * HOUR
"""How far the oracle walks."""

cases = calendars_and_moments()
recurring = cases.filter(lambda case: any(case[0].hours.values()))
"""Some working time each week, so that deadlines exist."""
stretches = st.integers(0, 5 * 86_400).map(lambda count: timedelta(seconds=count))
durations = st.integers(0, 10 * 3600).map(lambda count: timedelta(seconds=count))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def calendar(zone: str, hours: dict[str, str] | str, **more: Any) -> Calendar:
    """With the same hours on all days when `hours` is a text."""
    week = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), hours) if isinstance(hours, str) else hours
    return Calendar.model_validate({"id": "example", "zone": zone, "hours": week, **more})


def told(intervals: Iterable[Interval]) -> list[str]:
    """Such as "03-29 07:00 to 03-29 15:00"."""
    return [f"{begin:%m-%d %H:%M} to {end:%m-%d %H:%M}" for begin, end in intervals]


WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
OFFICE = calendar(
    "Europe/Berlin",
    dict.fromkeys(WORKDAYS, "09:00-17:00"),
    holidays={"country": "DE", "subdivision": "BY"},
    overrides={"2026-12-24": "closed", "2026-12-31": "09:00-12:00", "2027-01-01": "10:00-11:00"},
)


# Against the oracle


@given(cases)
def test_working_time_is_when_the_clock_on_the_wall_shows_working_hours(case: tuple[Written, datetime]) -> None:
    """Every minute, over changes of clocks, nights, holidays and overrides."""
    written, since = case
    found = list(open_intervals(written.calendar(), since, since + WINDOW))
    minutes = [begin + at * MINUTE for begin, end in found for at in range((end - begin) // MINUTE)]
    assert minutes == written.open_minutes(since, since + WINDOW)


@given(cases)
def test_intervals_are_in_order_apart_and_inside_what_was_asked_for(case: tuple[Written, datetime]) -> None:
    """As few as possible: between two of them somebody rests."""
    written, since = case
    until = since + WINDOW
    edges = [edge for interval in open_intervals(written.calendar(), since, until) for edge in interval]
    assert edges == sorted(set(edges))
    assert all(since <= edge <= until for edge in edges)


@given(cases)
def test_openings_and_closings_are_the_first_ones_that_the_oracle_meets(case: tuple[Written, datetime]) -> None:
    """Where it meets none in its walk, the answer lies beyond it."""
    written, moment = case
    calendar, end = written.calendar(), moment + WINDOW
    working = written.open_minutes(moment, end)
    resting = sorted({moment + at * MINUTE for at in range(WINDOW // MINUTE)}.difference(working))
    assert is_open(calendar, moment) == (moment in working)
    for answer, expected in ((next_opening(calendar, moment), working), (next_closing(calendar, moment), resting)):
        assert answer == expected[0] if expected else answer is None or answer >= end


@given(cases, st.integers(1, WINDOW // MINUTE))
def test_a_deadline_falls_due_when_the_oracle_has_counted_to_it(case: tuple[Written, datetime], minutes: int) -> None:
    """Minute by minute of working time."""
    written, begin = case
    working = written.open_minutes(begin, begin + WINDOW)
    if minutes <= len(working):
        assert after(written.calendar(), begin, minutes * MINUTE) == working[minutes - 1] + MINUTE


@given(recurring, durations)
def test_until_a_deadline_passes_exactly_its_duration(case: tuple[Written, datetime], duration: timedelta) -> None:
    """`between` undoes `after`, and a microsecond earlier it is not yet due."""
    calendar, begin = case[0].calendar(), case[1]
    deadline = after(calendar, begin, duration)
    assert between(calendar, begin, deadline) == duration
    if duration:
        assert between(calendar, begin, deadline - timedelta(microseconds=1)) < duration


@given(cases, stretches)
def test_what_has_passed_is_due_by_now(case: tuple[Written, datetime], elapsed: timedelta) -> None:
    """`after` undoes `between`, up to a rest in which nothing passes."""
    calendar, begin = case[0].calendar(), case[1]
    end = begin + elapsed
    passed = between(calendar, begin, end)
    if passed:
        due = after(calendar, begin, passed)
        assert due <= end
        assert between(calendar, due, end) == ZERO


@given(cases, stretches, stretches)
def test_working_time_adds_up(case: tuple[Written, datetime], first: timedelta, second: timedelta) -> None:
    """A stop on the way changes nothing."""
    calendar, begin = case[0].calendar(), case[1]
    middle, end = begin + first, begin + first + second
    assert between(calendar, begin, middle) + between(calendar, middle, end) == between(calendar, begin, end)


@given(recurring, stretches, durations, durations)
def test_what_begins_later_or_takes_longer_is_never_due_earlier(
    case: tuple[Written, datetime], later: timedelta, duration: timedelta, longer: timedelta
) -> None:
    """Monotone in both, also over a clock that turns back."""
    calendar, begin = case[0].calendar(), case[1]
    assert after(calendar, begin, duration) <= after(calendar, begin + later, duration)
    assert after(calendar, begin, duration) <= after(calendar, begin, duration + longer)


@given(cases)
def test_exactly_what_is_closed_has_a_reason(case: tuple[Written, datetime]) -> None:
    """Somebody who waits is told why."""
    calendar, moment = case[0].calendar(), case[1]
    assert (closed_because(calendar, moment) is None) == is_open(calendar, moment)


# Changes of clocks, by example


@pytest.mark.parametrize(
    ("zone", "day", "hours", "expected"),
    [
        # 02:00 becomes 03:00, at 01:00 UTC.
        ("Europe/Berlin", "2026-03-29", "01:00-04:00", ["03-29 00:00 to 03-29 02:00"]),
        ("Europe/Berlin", "2026-03-29", "02:00-03:00", []),
        ("Europe/Berlin", "2026-03-29", "02:30-04:00", ["03-29 01:00 to 03-29 02:00"]),
        ("Europe/Berlin", "2026-03-29", "01:00-02:30", ["03-29 00:00 to 03-29 01:00"]),
        # 03:00 becomes 02:00, at 01:00 UTC.
        ("Europe/Berlin", "2026-10-25", "01:00-04:00", ["10-24 23:00 to 10-25 03:00"]),
        ("Europe/Berlin", "2026-10-25", "02:00-03:00", ["10-25 00:00 to 10-25 02:00"]),
        ("Europe/Berlin", "2026-10-25", "02:30-04:00", ["10-25 00:30 to 10-25 01:00", "10-25 01:30 to 10-25 03:00"]),
        ("Europe/Berlin", "2026-10-25", "01:30-02:30", ["10-24 23:30 to 10-25 00:30", "10-25 01:00 to 10-25 01:30"]),
        # 02:00 becomes 01:30, then half a year later 02:30; eleven hours ahead of UTC, or half an hour less.
        ("Australia/Lord_Howe", "2026-04-05", "01:30-02:00", ["04-04 14:30 to 04-04 15:30"]),
        ("Australia/Lord_Howe", "2026-10-04", "01:30-03:00", ["10-03 15:00 to 10-03 16:00"]),
        # The day that Samoa left out, and the night into it.
        ("Pacific/Apia", "2011-12-30", "09:00-17:00", []),
        ("Pacific/Apia", "2011-12-29", "22:00-06:00", ["12-30 08:00 to 12-30 10:00"]),
    ],
)
def test_a_skipped_hour_is_not_worked_and_a_repeated_hour_is_worked_twice(
    zone: str, day: str, hours: str, expected: list[str]
) -> None:
    """Working hours of that day alone; the answers are in UTC."""
    midnight = utc(day)
    found = open_intervals(
        calendar(zone, {}, overrides={day: hours}), midnight - timedelta(days=3), midnight + timedelta(days=3)
    )
    assert told(found) == expected


def test_a_night_over_a_clock_change_is_an_hour_shorter_or_longer() -> None:
    """Eight hours by the clock; seven and nine in which somebody is there."""
    night = calendar("Europe/Berlin", {"sat": "22:00-06:00"})
    assert between(night, utc("2026-03-28 12:00"), utc("2026-03-29 12:00")) == 7 * HOUR
    assert between(night, utc("2026-10-24 12:00"), utc("2026-10-25 12:00")) == 9 * HOUR


def test_a_clock_that_turns_back_over_midnight_repeats_the_end_of_one_day_and_the_begin_of_the_next() -> None:
    """As in St John's until 2011, where 00:01 became 23:01 of the day before."""
    overrides = {"2010-11-06": "23:00-24:00", "2010-11-07": "00:00-00:30"}
    found = open_intervals(calendar("America/St_Johns", {}, overrides=overrides), utc("2010-11-06"), utc("2010-11-08"))
    assert told(found) == ["11-07 01:30 to 11-07 04:00"]


def test_a_night_far_in_the_west_reaches_two_days_of_utc_further() -> None:
    """Pago Pago is eleven hours behind."""
    night = calendar("Pacific/Pago_Pago", {"mon": "16:00-15:00"})
    assert told(open_intervals(night, utc("2026-06-01"), utc("2026-06-05"))) == ["06-02 03:00 to 06-03 02:00"]


def test_a_deadline_over_a_clock_change_counts_time_that_really_passes() -> None:
    """From Friday 16:00 in Berlin, two hours: Monday at 10:00 by the clock there."""
    assert after(OFFICE, utc("2026-03-27 15:00"), 2 * HOUR) == utc("2026-03-30 08:00")


# Holidays, overrides and nights, by example


@pytest.mark.parametrize(
    ("country", "subdivision", "day", "name"),
    [
        ("DE", "BY", "2026-06-04", "Fronleichnam"),
        ("DE", "BE", "2026-06-04", None),
        ("DE", None, "2024-10-03", "Tag der Deutschen Einheit"),
        ("AT", None, "2026-10-26", "Nationalfeiertag"),
        ("US", None, "2026-07-03", "Independence Day (observed)"),
        ("US", None, "2026-11-26", "Thanksgiving Day"),
    ],
)
def test_public_holidays_are_closed_and_named_in_their_own_language(
    country: str, subdivision: str | None, day: str, name: str | None
) -> None:
    """Whatever language the machine speaks."""
    office = calendar("UTC", "09:00-17:00", holidays={"country": country, "subdivision": subdivision})
    moment = utc(f"{day} 12:00")
    assert is_open(office, moment) == (name is None)
    assert name is None or (closed_because(office, moment) or "").startswith(f"public holiday: {name} (opens ")


def test_overrides_win_over_hours_and_holidays() -> None:
    """Closed on Christmas Eve, half of New Year's Eve, and one hour on New Year's Day."""
    assert told(open_intervals(OFFICE, utc("2026-12-23 12:00"), utc("2027-01-03"))) == [
        "12-23 12:00 to 12-23 16:00",
        "12-28 08:00 to 12-28 16:00",
        "12-29 08:00 to 12-29 16:00",
        "12-30 08:00 to 12-30 16:00",
        "12-31 08:00 to 12-31 11:00",
        "01-01 09:00 to 01-01 10:00",
    ]


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    """The one into a holiday is worked to its end; the one that begins on it is not."""
    nights = calendar("Europe/Berlin", "22:00-06:00", holidays={"country": "DE"})
    assert told(open_intervals(nights, utc("2025-10-02 12:00"), utc("2025-10-05 12:00"))) == [
        "10-02 20:00 to 10-03 04:00",
        "10-04 20:00 to 10-05 04:00",
    ]


def test_a_night_and_a_morning_that_overlap_are_worked_once() -> None:
    """Two shifts, one answer."""
    shifts = calendar("UTC", {"mon": "22:00-06:00", "tue": "05:00-09:00"})
    assert told(open_intervals(shifts, utc("2026-06-01"), utc("2026-06-07"))) == ["06-01 22:00 to 06-02 09:00"]


# Edges of the functions


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ("2026-06-02 10:00", None),
        ("2026-06-02 15:00", "outside working hours (opens Wed 09:00 Europe/Berlin)"),
        ("2026-06-05 16:00", "outside working hours (opens Mon 09:00 Europe/Berlin)"),
        ("2026-12-24 10:00", "closed on 2026-12-24 (opens Mon 09:00 Europe/Berlin)"),
        # A holiday on which an override has people work.
        ("2027-01-01 08:00", "outside working hours (opens Fri 10:00 Europe/Berlin)"),
        ("2024-10-03 10:00", "public holiday: Tag der Deutschen Einheit (opens Fri 09:00 Europe/Berlin)"),
        # In Berlin it is the holiday already.
        ("2024-10-02 22:30", "public holiday: Tag der Deutschen Einheit (opens Fri 09:00 Europe/Berlin)"),
    ],
)
def test_the_reason_says_why_and_until_when(moment: str, reason: str | None) -> None:
    """As it stands in the explanation of an assignment."""
    assert closed_because(OFFICE, utc(moment)) == reason


def test_an_opening_in_a_week_or_more_is_told_with_its_date() -> None:
    """The weekday alone would name the wrong day."""
    mondays = calendar("UTC", {"mon": "09:00-10:00"})
    assert closed_because(mondays, utc("2026-06-01 11:00")) == "outside working hours (opens Mon 2026-06-08 09:00 UTC)"


def test_what_is_due_when_people_go_home_is_due_then() -> None:
    """Not on the next morning, when it would be late already."""
    assert after(OFFICE, utc("2026-06-02 14:00"), HOUR) == utc("2026-06-02 15:00")


def test_no_duration_is_due_at_once_or_at_the_next_opening() -> None:
    """The end to which ever smaller durations come."""
    assert after(OFFICE, utc("2026-06-02 10:00:07"), ZERO) == utc("2026-06-02 10:00:07")
    assert after(OFFICE, utc("2026-06-02 20:00"), ZERO) == utc("2026-06-03 07:00")


def test_between_a_moment_and_an_earlier_one_no_working_time_passes() -> None:
    """Two machines' clocks may differ a little."""
    for each in (OFFICE, ALWAYS_OPEN):
        assert between(each, utc("2026-06-02 10:00"), utc("2026-06-02 09:00")) == ZERO


def test_a_calendar_that_never_opens_says_so() -> None:
    """In each way of asking."""
    never, moment = calendar("UTC", {}, overrides={"2020-01-01": "09:00-10:00"}), utc("2026-06-02 10:00")
    assert next_opening(never, moment) is None
    assert next_closing(never, moment) == moment
    assert closed_because(never, moment) == "outside working hours (does not open within a year)"
    with pytest.raises(DeadlineOutOfReach, match="'example' has not 1:00:00 of working time within ten years"):
        after(never, moment, HOUR)


def test_an_always_open_calendar_is_plain_time() -> None:
    """Also when it came as JSON, and in whatever zone somebody wrote it down."""
    moment = utc("2026-03-28 23:17:05")
    travelled = Calendar.model_validate_json(ALWAYS_OPEN.model_dump_json())
    for each in (ALWAYS_OPEN, travelled, calendar("Europe/Berlin", "00:00-24:00")):
        assert is_open(each, moment)
        assert after(each, moment, 100 * HOUR) == moment + 100 * HOUR
        assert between(each, moment, moment + 100 * HOUR) == 100 * HOUR
        assert list(open_intervals(each, moment, moment + 100 * HOUR)) == [(moment, moment + 100 * HOUR)]
        assert next_closing(each, moment) is None


def test_moments_in_other_zones_are_taken_and_answered_in_utc() -> None:
    """They are the same moments."""
    berlin = datetime.fromisoformat("2026-06-02T12:00+02:00")
    deadline = after(OFFICE, berlin, HOUR)
    assert (deadline, deadline.tzinfo) == (utc("2026-06-02 11:00"), UTC)


def test_a_moment_without_a_zone_is_refused() -> None:
    """It could be any of forty."""
    naive = utc("2026-06-02 10:00").replace(tzinfo=None)
    for question in (is_open, next_opening, next_closing, closed_because):
        with pytest.raises(ValueError, match="give an aware datetime"):
            question(OFFICE, naive)
    with pytest.raises(ValueError, match="give an aware datetime"):
        after(ALWAYS_OPEN, naive, HOUR)
    for interval in (between, open_intervals):
        with pytest.raises(ValueError, match="give an aware datetime"):
            interval(ALWAYS_OPEN, utc("2026-06-02"), naive)


def test_a_negative_duration_is_refused() -> None:
    """Nothing is due before it begins."""
    with pytest.raises(ValueError, match="cannot be negative"):
        after(OFFICE, utc("2026-06-02 10:00"), -HOUR)
