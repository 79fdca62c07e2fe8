"""The working hours of one day as people write them: "09:00-12:00, 13:00-17:30", "22:00-06:00" or closed."""

import re
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from typing_extensions import override

CLOSED = "closed"

_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SPAN = rf"^({_TIME})-({_TIME}|24:00)$"
_DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Span:
    """Working time by the clock on the wall, from `begin` until before `end`.

    Both count from midnight of the day on which the span begins; an end beyond 24 hours lies on the next day.
    """

    begin: timedelta
    end: timedelta

    @override
    def __str__(self) -> str:
        """As people write it."""
        return f"{_text(self.begin)}-{_text(self.end - _DAY if self.end > _DAY else self.end)}"


def _text(since_midnight: timedelta) -> str:
    hours, minutes = divmod(since_midnight // timedelta(minutes=1), 60)
    return f"{hours:02}:{minutes:02}"


def _span(value: object) -> Span:
    parts = re.match(_SPAN, value.strip()) if isinstance(value, str) else None
    if parts is None:
        raise ValueError(
            f"{value!r} is no span of working hours: write {CLOSED} or HH:MM-HH:MM in quotes,"
            ' such as "09:00-17:30", or "22:00-06:00" for a night'
        )
    begin, end = (timedelta(hours=int(text[:2]), minutes=int(text[3:])) for text in parts.groups())
    if begin == end:
        raise ValueError(f'"{value}" ends when it begins: write "00:00-24:00" for a whole day')
    return Span(begin, end if end > begin else end + _DAY)


def _hours(value: object) -> tuple[Span, ...]:
    if value == CLOSED:
        return ()
    texts = value if isinstance(value, list | tuple) else value.split(",") if isinstance(value, str) else [value]
    spans = sorted(_span(text) for text in texts)
    for earlier, later in pairwise(spans):
        if later.begin < earlier.end:
            raise ValueError(f"{earlier} and {later} overlap: write them as one span, or mend one")
    return tuple(spans)


Hours = Annotated[
    tuple[Span, ...],
    PlainValidator(_hours),
    PlainSerializer(lambda spans: [str(span) for span in spans], return_type=list[str]),
    WithJsonSchema(
        {
            "description": f'{CLOSED}, or spans such as "09:00-12:00, 13:00-17:30", as one text or as a list.',
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string", "pattern": _SPAN}}],
        }
    ),
]
"""Spans in order, none overlapping another; empty when the day is closed."""
