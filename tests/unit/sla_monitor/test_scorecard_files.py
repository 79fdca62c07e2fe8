"""Promises of the files that scorecards take and give: spend comes in as CSV, figures go out."""

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance_sla_monitor.scorecards.csv_text import csv_pieces
from relance_sla_monitor.scorecards.figures import cost_of_one, share
from relance_sla_monitor.scorecards.question import Question, dimensions
from relance_sla_monitor.scorecards.spend import InvalidSpend, read_spend

cells = st.one_of(st.none(), st.integers(), st.text(st.characters(codec="utf-8", exclude_characters="\x00")))


@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=1200))
def test_what_is_written_can_be_read_back(rows: list[list[int | str | None]]) -> None:
    """RFC 4180, whatever the text; text that a spreadsheet would run has an apostrophe in front."""
    text = "".join(csv_pieces(["a", "b"], rows))
    assert text.endswith("\r\n")
    header, *found = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["a", "b"]
    for row, read in zip(rows, found, strict=True):
        for cell, again in zip(row, read, strict=True):
            assert again.removeprefix("'") == ("" if cell is None else str(cell).removeprefix("'"))
            assert not (isinstance(cell, str) and again.startswith(("=", "+", "-", "@", "\t", "\r", "\n")))


def test_numbers_below_zero_stay_numbers() -> None:
    """Only text is made harmless."""
    assert list(csv_pieces(["n"], [[-1], ["-1+1"]])) == ["n\r\n-1\r\n'-1+1\r\n"]


def test_spend_is_read_by_the_names_of_its_columns() -> None:
    """In any order, with a byte order mark, as spreadsheets write it; an empty cell is none."""
    content = (
        "\ufeffamount,currency,source,campaign,month,from,until\r\n"
        '1.50,EUR,ads,"a, b",2025-03,,\r\n'
        "2,EUR,web,,,2025-03-31,2025-04-02\r\n"
    )
    first, second = read_spend(content.encode())
    assert first.key == ("ads", "a, b", date(2025, 3, 1), date(2025, 4, 1))
    assert (second.key, second.amount) == (("web", None, date(2025, 3, 31), date(2025, 4, 2)), Decimal(2))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1: : no line below the header"),
        (b"source;month;amount;currency\nads;2025-01;1,50;EUR", "line 1: : separate cells by commas"),
        (b"source,month,amount,currency\nads,2025-13,1,EUR", "line 2: /month"),
        (b"source,month,amount,currency\nads,2025-01,1,EUR\nads,2025-02,-1,EUR", "line 3: /amount"),
        (b"source,month,amount,currency\nads,2025-01,1,euro", "line 2: /currency"),
        (b"source,amount,currency\nads,1,EUR", "give either month, or from and until"),
        (b"source,from,until,amount,currency\nads,2025-01-02,2025-01-02,1,EUR", "until must come after from"),
        (b"source,from,until,amount,currency\nads,2025-01-01,2027-01-02,1,EUR", "a year after it at most"),
        (b"source,month,amount,currency,note\nads,2025-01,1,EUR,x", "line 2: /note"),
        (b"source,month,amount,currency\nads,2025-01,1,EUR,x", "more cells than the header has"),
        (b"source,month,amount,currency\nads,2025-01,1,EUR\nads,2025-01,2,EUR", "line 3: : the same source"),
        (b"source\n\xff", "not CSV in UTF-8"),
        (b'source\n"a', "not CSV in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_taken_says_where_and_why(content: bytes, says: str) -> None:
    """All or nothing."""
    with pytest.raises(InvalidSpend) as raised:
        read_spend(content)
    assert says in str(raised.value)


def test_shares_and_costs_of_nothing_are_not_zero() -> None:
    """Nobody was asked is not nobody did."""
    assert (share(0, 0), share(1, 3)) == (None, 0.25)
    assert cost_of_one(Decimal(10), 0) is None
    assert cost_of_one(None, 3) is None
    assert cost_of_one(Decimal(10), 3) == Decimal("3.33")


def test_a_question_names_known_dimensions_once() -> None:
    """Says which it does not know."""
    assert dimensions("week, source") == ("week", "source")
    assert dimensions("") == ()
    for by, says in (("wek", "wek: name some of source"), ("week,week", "once")):
        with pytest.raises(ValueError, match=says):
            dimensions(by)


def test_a_link_says_what_a_group_does_not_have() -> None:
    """No campaign is not any campaign."""
    question = Question(date(2025, 1, 1), date(2025, 2, 1), ("campaign",), {"source": "a&b"})
    assert question.of_group({"campaign": None}).leads_link() == (
        "/v1/scorecards/leads?side=sales&since=2025-01-01&until=2025-02-01&per=lead&source=a%26b&without=campaign"
    )


def test_money_is_told_apart_by_source_campaign_and_week_alone() -> None:
    """It is spent on these; by rep, team, channel or assignment any split would be made up."""
    january = Question(date(2025, 1, 1), date(2025, 2, 1), ("source", "campaign", "week"))
    assert january.has_spend
    assert replace(january, by=(), having={"campaign": None}).has_spend
    assert not replace(january, by=("source", "team")).has_spend
    assert not replace(january, having={"channel": "call"}).has_spend
    assert not replace(january, per="assignment").has_spend


def test_blanks_around_the_name_of_a_campaign_are_not_part_of_it() -> None:
    """As ingest takes them away from a lead's campaign: else its money stands in a row without leads."""
    (spend,) = read_spend(b"source,campaign,month,amount,currency\nads, spring ,2026-11,3100.00,EUR\n")
    assert (spend.source, spend.campaign) == ("ads", "spring")
