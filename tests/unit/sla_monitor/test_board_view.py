"""Promises of what the board shows, and to whom."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from relance_sla_monitor.board.access import Access, BoardLinkExpired, BoardLinks, BoardRefused
from relance_sla_monitor.board.durations import time_left, time_of_day, written
from relance_sla_monitor.board.reading import ROWS, Facts, Hour, LateLead, OpenLead, Standing, Waiting
from relance_sla_monitor.board.templates import Pages
from relance_sla_monitor.board.view import Board, board
from relance_sla_monitor.main import command_line

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def lead(number: int, left: timedelta, *, team: str = "sales", risk: timedelta | None = MINUTE) -> OpenLead:
    """An open lead; at risk once `risk` is left."""
    deadline = NOW + left
    at = deadline - risk if risk else None
    return OpenLead(UUID(int=number), "anna", team, "website", "form", None, NOW - MINUTE, deadline, at, on_hold=False)


def late(number: int, ago: timedelta, *, team: str = "sales", by: str = "contacted") -> LateLead:
    """A lead whose window passed `ago` and whose clock was stopped `by` something half a minute later."""
    passed = NOW - ago
    return LateLead(UUID(int=number), "ben", team, "ads", "spring", passed, passed + MINUTE / 2, by)


def hour(ago: int, median: timedelta, p90: timedelta, team: str | None = None) -> Hour:
    """Answers within one hour, with a window of five minutes."""
    return Hour(team, NOW - timedelta(hours=ago), 10, median, p90, 5 * MINUTE)


def facts(*urgent: OpenLead, late: tuple[LateLead, ...] = (), hours: tuple[Hour, ...] = ()) -> Facts:
    """What was read, with standings that fit."""
    teams = sorted({each.team for each in urgent})
    standings = tuple(Standing(team, sum(each.team == team for each in urgent)) for team in teams)
    return Facts(NOW, urgent, overdue(urgent), late, standings, hours)


def overdue(urgent: tuple[OpenLead, ...]) -> tuple[OpenLead, ...]:
    return tuple(each for each in urgent if each.deadline and each.deadline <= NOW)


def values(shown: Board) -> dict[str, str]:
    return {tile.name: tile.value for tile in shown.tiles}


def test_the_most_urgent_lead_stands_first_whoever_has_it() -> None:
    """By time left; each with the state that its own policy gives it."""
    shown = board(facts(lead(1, 9 * MINUTE), lead(2, -MINUTE, team="world"), lead(3, MINUTE / 2)), None, BERLIN)
    assert [(row.lead, row.state) for row in shown.rows] == [
        ("000002", "breached"),
        ("000003", "at_risk"),
        ("000001", "in_time"),
    ]
    assert [row.due for row in shown.rows] == ["12:59", "13:00", "13:09"]


def test_a_lead_without_a_step_at_risk_goes_straight_to_breached() -> None:
    """A policy need not have one."""
    rows = board(facts(lead(1, timedelta(seconds=1), risk=None), lead(2, timedelta(), risk=None)), None, BERLIN).rows
    assert [row.state for row in rows] == ["breached", "in_time"]


def test_a_lead_on_hold_stands_last_and_counts_no_time() -> None:
    """One whose end is known before one whose end is not; neither is late, and the page says so in words."""
    known = replace(lead(1, -MINUTE), deadline=NOW + MINUTE, on_hold=True)
    unknown = replace(lead(2, MINUTE), deadline=None, on_hold=True)
    shown = facts(unknown, known, lead(3, 9 * MINUTE))
    rows = board(shown, None, BERLIN).rows
    assert [(row.lead, row.state, row.due) for row in rows] == [
        ("000003", "in_time", "13:09"),
        ("000001", "on_hold", "13:01"),
        ("000002", "on_hold", ""),
    ]
    html = Pages(BERLIN).part(shown, None).html
    assert html.count("<span>on hold</span>") == 2
    assert html.count("data-deadline") == 1


def test_a_long_list_is_cut_and_says_how_many_more() -> None:
    """Nobody scrolls a wall."""
    shown = board(facts(*(lead(number, number * MINUTE) for number in range(1, ROWS + 6))), None, BERLIN)
    assert (len(shown.rows), shown.more) == (ROWS, 5)


def test_a_team_is_shown_nothing_of_another() -> None:
    """Neither leads nor figures."""
    urgent = (lead(1, MINUTE), lead(2, -MINUTE, team="world"))
    read = Facts(
        NOW,
        urgent,
        overdue(urgent),
        (late(3, MINUTE), late(4, MINUTE, team="world")),
        (Standing("sales", 3, 0, 0, 2, 7, 2), Standing("world", 1, 0, 1, 0, 1, 2)),
        (hour(1, MINUTE, 2 * MINUTE, "sales"), hour(1, 9 * MINUTE, 9 * MINUTE, "world"), hour(1, MINUTE, MINUTE)),
    )
    shown = board(read, "sales", BERLIN)
    assert "world" not in repr(shown)
    assert [row.lead for row in shown.rows] == ["000001"]
    assert [breach.lead for breach in shown.breaches] == ["000003"]
    assert values(shown) == {
        "open": "3", "at-risk": "0", "overdue": "0", "on-hold": "2", "breached": "2", "kept": "7", "share": "77 %",
    }  # fmt: skip
    assert values(board(read, None, BERLIN))["share"] == "66 %"
    assert values(board(read, "nobody", BERLIN))["share"] == "none"


def test_what_breached_says_whether_it_was_answered_since() -> None:
    """The newest first; yesterday's are not today's."""
    read = facts(
        lead(1, -2 * MINUTE), late=(late(2, MINUTE), late(3, timedelta(hours=20)), late(4, MINUTE / 2, by="erased"))
    )
    assert [(breach.lead, breach.ending) for breach in board(read, None, BERLIN).breaches] == [
        ("000004", "erased 0:30 late"),
        ("000002", "0:30 late"),
        ("000001", ""),
    ]


def test_nothing_changes_on_the_board_while_only_time_passes() -> None:
    """Otherwise every viewer would be sent everything every second."""
    read = facts(lead(1, 9 * MINUTE), lead(2, -MINUTE))
    later = replace(read, now=NOW + timedelta(seconds=1))
    assert board(read, None, BERLIN) == board(later, None, BERLIN)


def test_the_chart_stays_within_its_frame_and_marks_hours_over_the_window() -> None:
    """Also when somebody answered after two days."""
    read = facts(hours=(hour(23, MINUTE, 2 * MINUTE), hour(1, 6 * MINUTE, timedelta(days=2)), hour(0, MINUTE, MINUTE)))
    chart = board(read, None, BERLIN).chart
    assert chart
    assert [bar.over for bar in chart.bars] == [False, True, False]
    for bar in chart.bars:
        assert chart.left <= bar.x <= chart.right - chart.bar_width
        assert 0 <= bar.p90_y <= bar.median_y <= chart.floor
        assert 0 < bar.window_y < chart.floor
    assert [label for _, label in chart.hours] == ["18:00", "00:00", "06:00", "12:00"]
    assert chart.summary.startswith("30 answered in the last 24 hours; in 2 of 3 hours")
    assert board(facts(), None, BERLIN).chart is None


def test_leads_that_nobody_has_are_told_to_whom_they_concern() -> None:
    """A team hears of those that it had; who sees all hears of all, with the first."""
    ago = 10 * MINUTE
    read = replace(facts(), waiting=(Waiting("sales", 1, NOW - ago), Waiting(None, 2, NOW - 2 * ago)))
    assert board(read, None, BERLIN).nobody == "nobody has 3 leads, the first since 12:40"
    assert board(read, "sales", BERLIN).nobody == "nobody has 1 lead, since 12:50"
    assert board(read, "sales", BERLIN).said == "0 at risk, 0 overdue, nobody has 1 lead, since 12:50"
    assert board(read, "world", BERLIN).nobody == ""


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(seconds=5), "0:05"),
        (timedelta(minutes=59, seconds=59), "59:59"),
        (timedelta(hours=2, minutes=5), "2 h 05 min"),
        (timedelta(days=3, hours=4), "3 d 4 h"),
    ],
)
def test_durations_are_short_enough_for_a_wall(duration: timedelta, words: str) -> None:
    """And have the same words after the deadline."""
    assert written(duration) == words
    assert time_left(NOW + duration, NOW) == words
    assert time_left(NOW - duration, NOW) == f"-{words}"


def test_a_moment_of_another_day_names_the_day() -> None:
    """In the board's zone, where it may be tomorrow already."""
    assert time_of_day(NOW + timedelta(hours=10), NOW, BERLIN) == "23:00"
    assert time_of_day(NOW + timedelta(hours=11), NOW, BERLIN) == "Wed 00:00"


def test_a_link_opens_what_it_was_made_for_until_it_expires() -> None:
    """Nobody makes one without the secret, and no answer link opens the board."""
    links = BoardLinks(public_url="https://board.example.com/", secret="s" * 32)
    access = Access("sales", NOW)
    address, token = links.url(access).rsplit("/", 1)
    assert (address, links.secure, links.path) == ("https://board.example.com/board/open", True, "/board")
    proxied = BoardLinks(public_url="https://example.com/sales/", secret="s" * 32)
    assert (proxied.url(access).rsplit("/", 1)[0], proxied.path) == (
        f"https://example.com{proxied.path}/open",
        "/sales/board",
    )
    assert links.read(token, NOW - MINUTE) == access
    with pytest.raises(BoardLinkExpired):
        links.read(token, NOW)
    with pytest.raises(BoardRefused, match="damaged"):
        BoardLinks(public_url="", secret="t" * 32).read(token, NOW - MINUTE)
    for bad in (token[:-1], "x", "..", "é"):
        with pytest.raises(BoardRefused, match="damaged"):
            links.read(bad, NOW - MINUTE)
    with pytest.raises(BoardRefused, match="operator"):
        links.read(None, NOW)


def test_operators_make_a_link_that_opens_the_board() -> None:
    """For one team, for some days; they are told that a secret is missing, or that nobody knows such a team."""
    environment = {
        "RELANCE_DATABASE_URL": "postgresql+asyncpg://sla@127.0.0.1:1/relance",
        "RELANCE_KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
        "RELANCE_OPERATOR_TOKEN": "t" * 32,
        "RELANCE_BOARD_URL": "https://board.example.com",
    }
    told = CliRunner().invoke(command_line, ["board-link"], env=environment)
    assert (told.exit_code, "RELANCE_BOARD_SECRET" in told.stderr) == (2, True)
    given = {**environment, "RELANCE_BOARD_SECRET": "s" * 32}
    made = CliRunner().invoke(command_line, ["board-link", "--team", "sales", "--days", "2"], env=given)
    assert "PostgreSQL cannot be reached" in made.stderr
    address, token = made.stdout.strip().rsplit("/", 1)
    assert address == "https://board.example.com/board/open"
    access = BoardLinks(public_url="", secret="s" * 32).read(token, datetime.now(UTC))
    assert access.team == "sales"
    assert timedelta(days=1, hours=23) < access.until - datetime.now(UTC) <= timedelta(days=2)
