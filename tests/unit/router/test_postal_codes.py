"""Promises of postal ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance_router.domain.postal_codes import postal_code, postal_range

digits = st.text("0123456789", min_size=1, max_size=6)
written_ranges = st.one_of(
    st.text("01A", min_size=1, max_size=4),
    st.tuples(st.text("0123", min_size=3, max_size=3), st.text("0123", min_size=3, max_size=3)).map(
        lambda ends: "-".join(sorted(ends))
    ),
    st.tuples(st.sampled_from("AB"), st.integers(0, 9), st.integers(0, 9)).map(
        lambda parts: f"{parts[0]}{min(parts[1:])}-{parts[0]}{max(parts[1:])}"
    ),
)


@given(st.integers(0, 99_999), st.integers(0, 99_999), digits)
def test_a_range_of_numbers_holds_the_numbers_between_of_as_many_digits(one: int, other: int, code: str) -> None:
    """Vienna's 1010 is not in Berlin."""
    first, last = sorted((one, other))
    expected = len(code) == 5 and first <= int(code) <= last
    assert (postal_code(code) in postal_range(f"{first:05}-{last:05}")) == expected


@pytest.mark.parametrize(
    ("code", "within"),
    [
        ("80331", "80000-87999"),
        ("D-80331", "80000-87999"),
        ("80 331", "80000 - 87999"),
        ("80331-1234", "80000-87999"),
        ("1012 AB", "1000-1099"),
        ("1012ab", "1012AA-1012AZ"),
        ("1000-001", "1000-1999"),
        ("00-950", "00000-09999"),
        ("LV-1010", "1010-1019"),
        ("sw1a 1aa", "SW1"),
        ("SW1A 1AA", "SW1A-SW1W"),
        ("01067", "0"),
        ("01067", "01000-01999"),
    ],
)
def test_codes_are_found_however_they_are_written(code: str, within: str) -> None:
    """As people in several countries do."""
    assert postal_code(code) in postal_range(within)


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("10115", "1000-1999"),
        ("1010", "10000-10999"),
        ("8033", "80000-87999"),
        ("SE1 7PB", "SW"),
        ("S1 2AB", "SA1-SZ9"),
        ("", "0-9"),
        ("Munich", "80000-87999"),
    ],
)
def test_a_code_of_another_make_is_in_no_range(code: str, without: str) -> None:
    """A code of fewer or more digits is another country's."""
    assert postal_code(code) not in postal_range(without)


@pytest.mark.parametrize("written", ["", "-", "80000-", "-87999", "1-2-3", "87999-80000", "1000-19999", "A1-11"])
def test_what_is_no_range_is_refused(written: str) -> None:
    """With a sentence that quotes it."""
    with pytest.raises(ValueError, match="'" + written):
        postal_range(written)


@given(written_ranges, written_ranges, st.text("0123AB", min_size=1, max_size=5))
def test_ranges_that_share_a_code_meet(one: str, other: str, code: str) -> None:
    """Whichever is asked first."""
    first, second = postal_range(one), postal_range(other)
    assert first.meets(second) == second.meets(first)
    if postal_code(code) in first and postal_code(code) in second:
        assert first.meets(second)


@pytest.mark.parametrize(
    ("one", "other"), [("80", "81"), ("1000-1999", "10000-19999"), ("1", "2000-2999"), ("AB1-AB3", "AB4-AB9")]
)
def test_ranges_that_share_nothing_do_not_meet(one: str, other: str) -> None:
    """Nobody is warned of an overlap that there is not."""
    assert not postal_range(one).meets(postal_range(other))
