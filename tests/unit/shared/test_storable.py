"""What a service takes as text, and what its OpenAPI document says that it takes, are the same."""

from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import StringConstraints, TypeAdapter, ValidationError

from relance.moments import Moment
from relance.storable import IN_WORDS, STORABLE

TEXTS = st.text(st.sampled_from("a \t\n\u00a0\u3000\x00ß"), max_size=7)
STORED: TypeAdapter[str] = TypeAdapter(Annotated[str, STORABLE])
SAID: TypeAdapter[str] = TypeAdapter(
    Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=3), IN_WORDS]
)
MOMENT: TypeAdapter[Any] = TypeAdapter(Moment)


def taken(adapter: TypeAdapter[Any], value: object) -> bool:
    """Whether the service takes it."""
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


@given(TEXTS)
@example(" a a ")
@example("  aß a  ")
@example(" \n a")
def test_text_is_taken_when_the_schema_allows_it(text: str) -> None:
    """NUL is refused by both. Where something is to be said, white space around it is not counted, nor enough."""
    for adapter in (STORED, SAID):
        allowed = jsonschema.Draft202012Validator(adapter.json_schema()).is_valid(text)
        assert taken(adapter, text) == allowed


@pytest.mark.parametrize("seconds", [0, 1_764_000_000, 0.5, True, "0", "0.5", "-12345", "1764000000"])
def test_seconds_are_no_moment(seconds: object) -> None:
    """The schema says date-time: a number is a slip, and not some day in 1970."""
    assert not taken(MOMENT, seconds)


@pytest.mark.parametrize("written", ["2026-11-25T09:00:00Z", "2026-11-25T10:00:00.5+01:00"])
def test_a_moment_is_written_with_its_offset(written: str) -> None:
    """As every program writes it; without an offset nobody knows when that is."""
    assert taken(MOMENT, written)
    assert not taken(MOMENT, written[:19])
