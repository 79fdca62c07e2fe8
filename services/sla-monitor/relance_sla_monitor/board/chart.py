"""The chart of response times by hour, as geometry: the template only draws it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from relance_sla_monitor.board.durations import written
from relance_sla_monitor.board.reading import Hour

WIDTH, HEIGHT = 480, 210
_LEFT, _TOP, _BOTTOM = 62, 10, 28
_HOURS = 24
_CEILING = 3
"""The scale ends at this many windows: one forgotten lead must not flatten a whole day."""
_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800)
_MOST_LINES = 4


@dataclass(frozen=True)
class Bar:
    """One hour: the median as a bar, p90 as a line above it, the window as a mark across."""

    x: float
    median_y: float
    p90_y: float
    window_y: float
    over: bool
    """Whether the median is above the window."""
    title: str


@dataclass(frozen=True)
class Chart:
    """All of it; `summary` says it in words."""

    bars: tuple[Bar, ...]
    lines: tuple[tuple[float, str], ...]
    """Height and label of each line of the scale."""
    hours: tuple[tuple[float, str], ...]
    """Place and label of each sixth hour."""
    bar_width: float
    summary: str
    left: int = _LEFT
    right: int = WIDTH
    floor: int = HEIGHT - _BOTTOM
    height: int = HEIGHT


def draw(hours: Sequence[Hour], now: datetime, zone: ZoneInfo) -> Chart | None:
    """The 24 hours until now, of hours that have answers; None when none has."""
    if not hours:
        return None
    window = max(hour.window for hour in hours)
    top = max(window * 1.2, min(max(hour.p90 for hour in hours), window * _CEILING))
    floor = HEIGHT - _BOTTOM
    slot = (WIDTH - _LEFT) / _HOURS
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=_HOURS - 1)

    def height(duration: timedelta) -> float:
        return round(floor - min(duration / top, 1.0) * (floor - _TOP), 1)

    def place(moment: datetime) -> float:
        return round(_LEFT + (moment - begin) / timedelta(hours=1) * slot, 1)

    bars = tuple(
        Bar(
            place(hour.begins),
            height(hour.median),
            height(hour.p90),
            height(hour.window),
            hour.median > hour.window,
            f"{hour.begins.astimezone(zone):%H:%M}: {hour.answers} answered, median {written(hour.median)}, "
            f"p90 {written(hour.p90)}, window {written(hour.window)}",
        )
        for hour in hours
        if hour.begins >= begin
    )
    moments = [begin + timedelta(hours=each) for each in range(_HOURS)]
    labels = tuple(
        (place(each), f"{there:%H:%M}") for each in moments if (there := each.astimezone(zone)).hour % 6 == 0
    )
    return Chart(bars, _scale(top, height), labels, round(slot - 3, 1), _summary(hours))


def _scale(top: timedelta, height: Callable[[timedelta], float]) -> tuple[tuple[float, str], ...]:
    step = next((each for each in _STEPS if top.total_seconds() / each <= _MOST_LINES), _STEPS[-1])
    marks = [timedelta(seconds=step * each) for each in range(1, int(top.total_seconds() // step) + 1)]
    return tuple((height(mark), written(mark)) for mark in marks)


def _summary(hours: Sequence[Hour]) -> str:
    answers = sum(hour.answers for hour in hours)
    within = sum(1 for hour in hours if hour.p90 <= hour.window)
    return (
        f"{answers} answered in the last 24 hours; in {within} of {len(hours)} hours with answers, nine of ten came "
        "within the window"
    )
