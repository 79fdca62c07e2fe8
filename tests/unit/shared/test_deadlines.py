"""Promises of deadlines and used time under holds: against a clock on the wall that is looked at every minute."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.shared.calendar_oracle import MINUTE, Written, calendars_and_moments

from relance.calendars import ALWAYS_OPEN, Calendar, Hold, deadline, used
from relance.calendars.working_time import _days

BEGUN = datetime(2026, 11, 24, 9, tzinfo=UTC)
WALK = timedelta(hours=48)
"""How far the oracle walks."""
HOUR = timedelta(hours=1)


@st.composite
def holds(draw: st.DrawFn) -> list[tuple[int, int | None]]:
    """Up to three, in minutes from a begin: before it, around it, ahead, in closed hours; the last perhaps open."""
    edges = sorted(draw(st.sets(st.integers(-600, WALK // MINUTE), max_size=6)))
    pairs: list[tuple[int, int | None]] = list(zip(edges[::2], edges[1::2], strict=False))
    without_end = draw(st.booleans())
    if pairs and without_end:
        pairs[-1] = (pairs[-1][0], None)
    return pairs


def moments(begin: datetime, pairs: Sequence[tuple[int, int | None]]) -> list[Hold]:
    return [(begin + since * MINUTE, None if until is None else begin + until * MINUTE) for since, until in pairs]


def counted(written: Written | None, begin: datetime, held: Sequence[Hold]) -> list[datetime]:
    """The minutes that count, one by one."""
    walk = (begin + at * MINUTE for at in range(WALK // MINUTE))
    return [
        minute
        for minute in walk
        if (written is None or written.is_open(minute))
        and not any(since <= minute and (until is None or minute < until) for since, until in held)
    ]


@given(calendars_and_moments(), st.booleans(), holds(), st.integers(1, WALK // MINUTE))
def test_a_deadline_falls_due_when_the_oracle_has_counted_to_it(
    case: tuple[Written, datetime], all_time: bool, pairs: list[tuple[int, int | None]], minutes: int
) -> None:
    """Minute by minute of working time that is not held; none when the last hold has no end before it."""
    written, begin = (None if all_time else case[0]), case[1]
    held = moments(begin, pairs)
    counting = counted(written, begin, held)
    due = deadline(written.calendar() if written else None, begin, minutes * MINUTE, held)
    if minutes <= len(counting):
        assert due == counting[minutes - 1] + MINUTE
    elif held and held[-1][1] is None:
        # Walked to the hold or beyond: all that ever counts has been counted.
        assert due is None
    else:
        assert due is not None
        assert due > begin + WALK


@given(calendars_and_moments(), st.booleans(), holds(), st.integers(-60, WALK // MINUTE))
def test_used_time_is_what_the_oracle_counts(
    case: tuple[Written, datetime], all_time: bool, pairs: list[tuple[int, int | None]], minutes: int
) -> None:
    """Never negative, also when the end comes first."""
    written, begin = (None if all_time else case[0]), case[1]
    held, end = moments(begin, pairs), begin + minutes * MINUTE
    expected = sum(minute < end for minute in counted(written, begin, held)) * MINUTE
    assert used(written.calendar() if written else None, begin, end, held) == expected


@given(calendars_and_moments(), holds(), st.integers(1, 600))
def test_until_a_deadline_exactly_the_window_is_used(
    case: tuple[Written, datetime], pairs: list[tuple[int, int | None]], minutes: int
) -> None:
    """And a microsecond earlier less, so that nothing is late that used less than its window."""
    calendar, begin = case[0].calendar(), case[1]
    held = moments(begin, pairs)
    due = deadline(calendar, begin, minutes * MINUTE, held)
    if due is not None and due < begin + WALK * 100:
        assert used(calendar, begin, due, held) == minutes * MINUTE
        assert used(calendar, begin, due - timedelta(microseconds=1), held) < minutes * MINUTE


@pytest.mark.parametrize("calendar", [None, ALWAYS_OPEN])
@pytest.mark.parametrize(
    ("held", "due"),
    [
        ([], 60),
        ([(-30, -10)], 60),
        ([(-30, 0)], 60),
        ([(-30, 10)], 70),
        ([(20, 50)], 90),
        ([(20, 50), (80, 100)], 110),
        ([(60, None)], 60),
        ([(59, None)], None),
        ([(-10, None)], None),
        ([(20, 50), (89, None)], None),
        ([(20, 50), (90, None)], 90),
    ],
)
def test_a_window_that_is_over_when_a_hold_begins_is_over(
    calendar: Calendar | None, held: list[tuple[int, int | None]], due: int | None
) -> None:
    """An hour from nine o'clock, by example."""
    assert deadline(calendar, BEGUN, HOUR, moments(BEGUN, held)) == (None if due is None else BEGUN + due * MINUTE)


def test_a_calendar_that_never_opens_gives_ten_years_unless_a_hold_without_end_comes_before() -> None:
    """No mistake in a calendar may stop leads from being assigned."""
    never = Calendar(id="never", zone="Europe/Berlin", hours={})
    assert deadline(never, BEGUN, HOUR) == BEGUN + timedelta(days=3660)
    assert deadline(never, BEGUN, HOUR, [(BEGUN + HOUR, None)]) is None


def test_the_days_of_a_calendar_are_computed_once_however_many_deadlines_look_through_ten_years_of_them() -> None:
    """Days are walked in order: were fewer remembered than are walked, none would ever be found again."""
    never = Calendar(id="never-remembered", zone="Europe/Berlin", hours={})
    deadline(never, BEGUN, HOUR)
    computed = _days(never).cache_info().misses  # type: ignore[attr-defined]
    deadline(never, BEGUN, HOUR)
    assert _days(never).cache_info().misses == computed  # type: ignore[attr-defined]
