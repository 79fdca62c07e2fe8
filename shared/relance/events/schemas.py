"""Publishes the events' JSON Schemas: `python -m relance.events.schemas` writes shared/schemas/."""

import json
from pathlib import Path

from relance.events.catalogue import EVENT_TYPES

FOLDER = Path(__file__).parents[2] / "schemas"


def schemas() -> dict[str, str]:
    """File name to text, for every event type."""
    return {
        f"{name}.json": json.dumps(model.model_json_schema(mode="serialization"), indent=2, sort_keys=True) + "\n"
        for name, model in EVENT_TYPES.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for stale in FOLDER.glob("*.json"):
        stale.unlink()
    for name, text in schemas().items():
        (FOLDER / name).write_text(text)
