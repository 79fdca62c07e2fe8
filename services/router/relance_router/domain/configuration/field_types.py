"""The kinds of value that stand in routing.yaml, each with a sentence for whoever writes one wrongly."""

import re
from datetime import date, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

Entry = TypeVar("Entry")

MOST_CHARACTERS = 1000

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
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as error:
        raise ValueError(f"{value!r} is longer than can be counted") from error


def _positive(duration: timedelta) -> timedelta:
    if duration <= timedelta():
        raise ValueError("must be longer than nothing")
    return duration


def _share(value: object) -> object:
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("write a share such as 50%")
    return float(found[1]) / 100


def _share_in_words(share: float) -> str:
    return f"{round(100 * share, 9):f}".rstrip("0").rstrip(".") + "%"


def _text(value: object) -> object:
    if isinstance(value, str):
        return value
    # A number without a point is the same text again; 1.10 is not, nor is `true`.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("write text; put it in quotes where YAML takes it for something else")


def _day(value: object) -> object:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError("write a day such as 2026-12-24") from error


def as_list(value: object) -> object:
    """One value is a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


def stated(value: object) -> object:
    """Refuse a key that was left empty."""
    # YAML reads a key without a value as null: taken for "not given", the rule would match everything.
    if value is None:
        raise ValueError("has no value: give one, or leave it out")
    return value


def drop_null(schema: dict[str, Any]) -> None:
    """From the JSON Schema of a model whose optional fields are `Stated`."""
    for entry in schema["properties"].values():
        entry.pop("default", None)
        kinds = [kind for kind in entry.pop("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            entry.update(kinds[0] | entry)
        elif kinds:
            entry["anyOf"] = kinds


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
    WithJsonSchema({"type": "string", "pattern": f"^(?=.){_DURATION.pattern}$", "examples": ["15m", "1h30m"]}),
]
Window = Annotated[Duration, AfterValidator(_positive)]
"""A duration longer than nothing."""
Share = Annotated[
    float,
    BeforeValidator(_share),
    Field(gt=0, le=10),
    PlainSerializer(_share_in_words, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_SHARE.pattern}$", "examples": ["50%"]}),
]
"""A part of something, 1.0 for the whole; written `50%`."""
Filled = Annotated[tuple[Entry, ...], AfterValidator(_filled), Field(json_schema_extra={"minItems": 1})]
"""A list with at least one entry."""
Text = Annotated[
    str,
    BeforeValidator(_text),
    Field(min_length=1, max_length=MOST_CHARACTERS),
    WithJsonSchema({"type": ["string", "integer"], "minLength": 1, "maxLength": MOST_CHARACTERS}),
]
"""Some text; a number is taken as the text that it is written as."""
Stated = Annotated[Entry | None, BeforeValidator(stated)]
"""May be left out, but not left empty."""
without_null = ConfigDict(json_schema_extra=drop_null)
"""For models whose optional fields are `Stated`."""
Texts = Annotated[Filled[Text], BeforeValidator(as_list, json_schema_input_type=Text | Filled[Text])]
"""A text, or a list of texts any of which will do."""
Day = Annotated[date, BeforeValidator(_day)]
Whole = Annotated[int, Field(strict=True)]
YesNo = Annotated[bool, Field(strict=True)]
"""Neither takes text for what it means, as the schema does not."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Appears in metrics and addresses: lower case letters, digits, `-` and `_`."""
Domain = Annotated[str, Field(pattern=r"^[a-z0-9.-]+\.[a-z0-9-]+$")]
"""A mail or company domain, in lower case: `example.com`."""
Path = tuple[str | int, ...]
"""Where in the document: keys and list positions."""
