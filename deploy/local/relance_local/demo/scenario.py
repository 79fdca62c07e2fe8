"""The demo's company: three sources, two teams, six reps of three kinds, and a response window of seconds."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

WINDOW_SECONDS = 6


class Habit(StrEnum):
    """How a simulated rep answers."""

    DILIGENT = "diligent"
    """Well within the window; now and then declines."""
    SLOW = "slow"
    """Around the end of the window."""
    ABSENT = "absent"
    """Never."""


@dataclass(frozen=True)
class SimulatedRep:
    """A rep of the demo."""

    id: str
    team: str
    weight: int
    habit: Habit


REPS = (
    SimulatedRep("anna", "dach", 2, Habit.DILIGENT),
    SimulatedRep("ben", "dach", 1, Habit.SLOW),
    SimulatedRep("chloe", "dach", 1, Habit.ABSENT),
    SimulatedRep("dan", "world", 1, Habit.DILIGENT),
    SimulatedRep("eva", "world", 1, Habit.DILIGENT),
    SimulatedRep("finn", "world", 1, Habit.SLOW),
)
HONEYPOT = "website_url"
"""A field of the website's form that people do not see."""
SOURCE_KEYS = {"website": "demo-key-website", "ads": "demo-key-ads", "phone": "demo-key-phone"}

BY_HAND = "by-hand"
"""The source of the demo page, apart from what is simulated."""


# All of the demo's people come from one address.
_WEBSITE = {
    "thanks_url": "https://www.example.com/thanks",
    "spam": {"honeypot": HONEYPOT, "limits": {"per_address": "100000/minute", "per_source": "100000/minute"}},
}


def write_sources(file: Path) -> None:
    """The demo's sources.yaml."""
    sources = [
        {
            "id": source,
            "key_sha256": hashlib.sha256(key.encode()).hexdigest(),
            "default_country": "DE",
            **(_WEBSITE if source == "website" else {}),
        }
        for source, key in SOURCE_KEYS.items()
    ]
    by_hand = {
        "id": BY_HAND,
        "key_sha256": hashlib.sha256(b"demo-key-by-hand").hexdigest(),
        "default_country": "DE",
        "forms": {"origins": ["https://www.example.com"]},
    }
    file.write_text(yaml.safe_dump({"sources": [*sources, by_hand]}))


def write_routing(file: Path, webhooks: str) -> None:
    """The demo's routing.yaml; `webhooks` is where the reps listen. Who sells to Brazil is away: it waits."""
    promise = {"respond_within": f"{WINDOW_SECONDS}s", "escalation": "compressed"}
    teams = sorted({rep.team for rep in REPS})
    document = {
        "reps": [{"id": rep.id, "webhook": f"{webhooks}/reps/{rep.id}", "capacity": 30} for rep in REPS]
        + [{"id": "gil", "webhook": f"{webhooks}/reps/gil", "available": False}],
        "teams": [
            {
                "id": team,
                "manager": f"{webhooks}/managers/{team}",
                "members": [{"rep": rep.id, "weight": rep.weight} for rep in REPS if rep.team == team],
            }
            for team in teams
        ]
        + [{"id": "brazil", "manager": f"{webhooks}/managers/brazil", "members": [{"rep": "gil"}]}],
        "escalation_policies": [
            {
                "id": "compressed",
                "steps": [
                    {"name": "remind", "action": "remind_rep", "at": "50%"},
                    {"name": "at-risk", "action": "at_risk", "at": "80%"},
                    {"name": "breach", "action": "breach", "at": "100%"},
                    {"name": "manager", "action": "notify_manager", "at": "100%"},
                    {"name": "reassign", "action": "reassign", "at": "150%"},
                ],
            }
        ],
        "rules": [
            {"id": "missed-calls", "when": {"channel": "call", "call_status": "missed"}, "team": "dach", **promise},
            {"id": "dach", "when": {"country": ["DE", "AT", "CH"]}, "team": "dach", **promise},
            {"id": "world", "when": {"country": ["FR", "GB", "US", "NL"]}, "team": "world", **promise},
        ],
        "fallback": {"team": "brazil", **promise},
        "same_person": {"within": "1h"},
    }
    file.write_text(yaml.safe_dump(document, sort_keys=False))
