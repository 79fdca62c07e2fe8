"""The routing configurations of the benchmark: one team, two rules of which the second matches every lead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

TEAM = "sales"
_PROMISE = {"respond_within": "15m", "escalation": "standard"}


@dataclass(frozen=True)
class BenchRep:
    """A rep of the one team."""

    id: str
    weight: int = 1
    available: bool = True


def equal_reps(count: int) -> list[BenchRep]:
    """So many reps of weight 1, always available."""
    return [BenchRep(f"rep-{number:04d}") for number in range(count)]


def content(reps: list[BenchRep], webhooks: str) -> str:
    """The routing.yaml; `webhooks` is where everybody is told."""
    team = {
        "id": TEAM,
        "manager": f"{webhooks}/manager",
        "members": [{"rep": rep.id, "weight": rep.weight} for rep in reps],
    }
    document = {
        "reps": [{"id": rep.id, "webhook": f"{webhooks}/{rep.id}", "available": rep.available} for rep in reps],
        "teams": [team],
        "escalation_policies": [
            {
                "id": "standard",
                "steps": [
                    {"name": "remind", "action": "remind_rep", "at": "50%"},
                    {"name": "breach", "action": "breach", "at": "100%"},
                ],
            }
        ],
        "rules": [
            {"id": "calls", "when": {"channel": "call", "country": ["DE", "AT", "CH"]}, "team": TEAM, **_PROMISE},
            {"id": "forms", "when": {"country": ["DE", "AT", "CH"]}, "team": TEAM, **_PROMISE},
        ],
        "fallback": {"team": TEAM, **_PROMISE},
    }
    return yaml.safe_dump(document, sort_keys=False)


def weights_present(text: str) -> Mapping[str, int]:
    """Who is available in a configuration and with which weight, read without the router's code."""
    document: dict[str, Any] = yaml.safe_load(text)
    here = {rep["id"] for rep in document["reps"] if rep["available"]}
    return {member["rep"]: member["weight"] for member in document["teams"][0]["members"] if member["rep"] in here}
