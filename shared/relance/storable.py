"""Text that PostgreSQL can keep."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class _Storable:
    pattern: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_without_nul, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"pattern": self.pattern, **handler(schema)}


def _without_nul(value: str) -> str:
    # PostgreSQL keeps every character but this one.
    if "\x00" in value:
        raise ValueError("NUL characters are not taken")
    return value


STORABLE = _Storable(r"^[^\x00]*$")
"""Annotates text that people send: what cannot be stored is their bad field, not our failure."""

IN_WORDS = _Storable(r"^[^\x00]*[^\s\x00][^\x00]*$")
"""The same for text that is stripped and must not be empty then: the schema says so too."""
