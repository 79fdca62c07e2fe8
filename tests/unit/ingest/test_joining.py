"""Promises of what several messages of one call become."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relance.events import CallDetails, Contact
from relance_ingest.acceptance.joining import joined
from relance_ingest.acceptance.new_lead import NewLead
from relance_ingest.domain.submissions import MOST_FIELDS_IN_ALL

fields = st.builds(
    lambda first, count, text: {f"field{place}": text for place in range(first, first + count)},
    st.integers(0, 3 * MOST_FIELDS_IN_ALL),
    st.integers(0, MOST_FIELDS_IN_ALL),
    st.sampled_from("ab"),
)


def call(fields: dict[str, str]) -> NewLead:
    at = datetime(2026, 11, 24, 10, tzinfo=UTC)
    details = CallDetails(
        call_id="c1", status="missed", called_number="+493012345678", started_at=at, duration=timedelta()
    )
    return NewLead("phone", "call", None, Contact(phone="+493012345679"), fields, details)


@given(st.lists(fields, min_size=1, max_size=6))
def test_a_call_has_never_more_fields_than_one_message_may_have(told: list[dict[str, str]]) -> None:
    """However many tell of it: it has to fit into one event. What is said last is kept whole, then what fits."""
    known = call({})
    for said in told:
        before, known = known, joined(known, call(said))
        assert len(known.fields) == min(len(before.fields | said), MOST_FIELDS_IN_ALL)
        assert known.fields.items() >= said.items()
        assert known.fields.items() <= (before.fields | said).items()


@given(fields, fields)
def test_a_message_that_comes_twice_changes_a_call_once(first: dict[str, str], second: dict[str, str]) -> None:
    """Also when not all fields fit."""
    once = joined(call(first), call(second))
    assert joined(once, call(second)) == once
