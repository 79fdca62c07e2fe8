"""The JSON Schema of routing.yaml, for editors: `python -m relance_router.configuration.schema` writes it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from relance_router.domain.configuration import Configuration

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED = "deploy/config/routing.schema.json"
"""Where it lies, from the top of the repository."""


@cache
def schema() -> Mapping[str, Any]:
    """What editors validate and complete by; every file that is accepted is valid by it."""
    return {"$schema": DIALECT, **Configuration.model_json_schema(), "title": "Relance's routing.yaml"}


def schema_text() -> str:
    """As it is published."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def possible_keys(path: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that the mapping at `path` may have."""
    places = [schema()]
    for part in path:
        places = [below for place in places for each in _forms(place) for below in _below(each, part)]
    return tuple(dict.fromkeys(key for place in places for each in _forms(place) for key in each.get("properties", ())))


def _forms(place: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The place itself, and whatever else it may be."""
    yield place
    if "$ref" in place:
        yield from _forms(schema()["$defs"][place["$ref"].rpartition("/")[2]])
    for form in place.get("anyOf", ()):
        yield from _forms(form)


def _below(place: Mapping[str, Any], part: str | int) -> Iterator[Mapping[str, Any]]:
    if isinstance(part, int):
        if "items" in place:
            yield place["items"]
    elif part in place.get("properties", ()):
        yield place["properties"][part]
    else:
        yield from place.get("patternProperties", {}).values()


if __name__ == "__main__":
    (Path(__file__).parents[4] / PUBLISHED).write_text(schema_text())
