"""Promises of carrying the trace context."""

import pytest

from relance import tracing


def test_a_child_stays_in_its_trace_as_a_new_span() -> None:
    """From the web form to the webhook one trace."""
    parent = tracing.child_of(None)
    child = tracing.child_of(parent)
    assert tracing.trace_id(child) == tracing.trace_id(parent)
    assert child != parent


@pytest.mark.parametrize("value", [None, "", "junk", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "ff-" + "1" * 32])
def test_what_is_no_traceparent_begins_a_new_trace(value: str | None) -> None:
    """A stranger's header is not trusted."""
    assert tracing.trace_id(tracing.child_of(value)).strip("0")
