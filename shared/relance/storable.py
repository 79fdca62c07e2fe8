"""Text that PostgreSQL can keep."""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


class _Storable:
    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_without_nul, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"pattern": r"^[^\x00]*$", **handler(schema)}


def _without_nul(value: str) -> str:
    # PostgreSQL keeps every character but this one.
    if "\x00" in value:
        raise ValueError("NUL characters are not taken")
    return value


STORABLE = _Storable()
"""Annotates text that people send: what cannot be stored is their bad field, not our failure."""
