"""W3C Trace Context, carried from the web form to the rep's webhook (https://www.w3.org/TR/trace-context/).

Only the context is carried and logged; spans belong to whatever collector an operator puts around us.
"""

import random
import re
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_random_bits = random.getrandbits
"""Ids are to differ, not to be kept secret: no system call for each."""

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def child_of(traceparent: str | None) -> str:
    """A new span in the caller's trace, or in a new trace when what came is missing or malformed."""
    span = f"{_random_bits(64):016x}"
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        return f"00-{_random_bits(128):032x}-{span}-01"
    version, trace, _, flags = traceparent.split("-")
    return f"{version}-{trace}-{span}-{flags}"


def enter(traceparent: str | None) -> str:
    """Make a child of `traceparent` the current context of this task, and return it."""
    child = child_of(traceparent)
    _current.set(child)
    return child


def current() -> str:
    """The current context; a new trace when there is none."""
    return _current.get() or enter(None)


def trace_id(traceparent: str) -> str:
    """The part that all spans of one trace share."""
    return traceparent.split("-")[1] if traceparent.count("-") == 3 else ""  # noqa: PLR2004
