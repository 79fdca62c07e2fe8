"""Moments as people and programs write them."""

from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

_YEAR = 4


def _written(value: object) -> object:
    # Pydantic takes a number as seconds since 1970, which no schema of a date allows.
    if isinstance(value, int | float) or (isinstance(value, str) and value[_YEAR : _YEAR + 1] != "-"):
        raise ValueError("write it with its offset from UTC, such as 2026-11-25T09:00:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A moment in ISO 8601, with its offset from UTC."""
