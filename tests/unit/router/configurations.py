"""Configurations and leads that tests of the router's decisions are made of."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from relance_router.domain.lead_facts import LeadFacts

MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROMISE = {"team": "t", "respond_within": "5m", "escalation": "p"}


def lead(fields: Mapping[str, str], received_at: datetime = MONDAY_NOON, identity: str = "somebody") -> LeadFacts:
    """A lead with these fields."""
    return LeadFacts(identity, received_at, fields)


def document(*, rules: list[dict[str, Any]] | None = None, **sections: object) -> dict[str, Any]:
    """routing.yaml with one rep, one team and one policy; `sections` replace what is there."""
    return {
        "reps": [{"id": "r", "webhook": "https://reps.example/r"}],
        "teams": [{"id": "t", "manager": "https://reps.example/m", "members": [{"rep": "r"}]}],
        "escalation_policies": [{"id": "p", "steps": [{"name": "breach", "action": "breach", "at": "100%"}]}],
        "rules": [PROMISE | {"id": f"rule-{place}"} | rule for place, rule in enumerate(rules or [])],
        "fallback": PROMISE,
        **sections,
    }
