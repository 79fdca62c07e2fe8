"""Text that PostgreSQL can keep."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class _Storable:
    stripped: bool

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_without_nul, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler(schema)
        if not self.stripped:
            return {"pattern": r"^[^\x00]*$", **found}
        # JSON Schema counts the white space that is taken off before we count: a pattern says both.
        del found["minLength"]
        between = f"{{0,{found.pop('maxLength') - 2}}}"
        return {"pattern": rf"^\s*[^\s\x00]([^\x00]{between}[^\s\x00])?\s*$", **found}


def _without_nul(value: str) -> str:
    # PostgreSQL keeps every character but this one.
    if "\x00" in value:
        raise ValueError("NUL characters are not taken")
    return value


STORABLE = _Storable(stripped=False)
"""Annotates text that people send: what cannot be stored is their bad field, not our failure."""

IN_WORDS = _Storable(stripped=True)
"""The same for text that is stripped and then of 1 to `max_length` characters (2 or more): the schema says so too."""
