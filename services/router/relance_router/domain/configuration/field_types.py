"""The kinds of value that stand in routing.yaml, each with a sentence for whoever writes one wrongly."""

import re
from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

Entry = TypeVar("Entry")

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)%")


class Document(BaseModel):
    """A part of routing.yaml: what it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError("write a duration such as 5m, 90s or 1h30m")
    parts = _DURATION.fullmatch(value)
    if not value or parts is None:
        raise ValueError(f"{value!r} is no duration: write it such as 5m, 90s or 1h30m")
    days, hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _positive(duration: timedelta) -> timedelta:
    if duration <= timedelta():
        raise ValueError("must be longer than nothing")
    return duration


def _share(value: object) -> object:
    if isinstance(value, float):
        return value
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("write a share such as 50%")
    return float(found[1]) / 100


def _filled(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    # Not `min_length`: pydantic then calls a tuple too short in which one entry is wrong.
    if not entries:
        raise ValueError("must not be empty")
    return entries


def in_words(duration: timedelta) -> str:
    """A duration as it is written in routing.yaml: `1h30m`."""
    seconds = round(duration.total_seconds(), 3)
    if seconds < 1:
        return f"{seconds:g}s"
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number:g}{unit}" for number, unit in parts if number)


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(in_words, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["15m", "1h30m"]}),
]
Window = Annotated[Duration, AfterValidator(_positive)]
"""A duration longer than nothing."""
Share = Annotated[
    float,
    BeforeValidator(_share),
    Field(gt=0, le=10),
    WithJsonSchema({"type": "string", "pattern": f"^{_SHARE.pattern}$", "examples": ["50%"]}),
]
"""A part of something, 1.0 for the whole; written `50%`."""
Filled = Annotated[tuple[Entry, ...], AfterValidator(_filled)]
"""A list with at least one entry."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Appears in metrics and addresses: lower case letters, digits, `-` and `_`."""
Domain = Annotated[str, Field(pattern=r"^[a-z0-9.-]+\.[a-z0-9-]+$")]
"""A mail or company domain, in lower case: `example.com`."""
Path = tuple[str | int, ...]
"""Where in the document: keys and list positions."""
