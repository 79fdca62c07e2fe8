"""A company to route leads in: a configuration in few words, the state of its lines, and leads."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from relance.events import Contact, LeadReceived
from relance.ids import LeadId, new_id
from relance_router.domain import rules
from relance_router.domain.availability import Availability, Load
from relance_router.domain.configuration import Configuration
from relance_router.domain.fair_choice import Turns
from relance_router.domain.lead_facts import LeadFacts, lead_facts
from relance_router.domain.routing import Decision, Question, RoutingState, decide

MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def configuration(
    reps: Mapping[str, Mapping[str, Any]],
    teams: Mapping[str, Mapping[str, Any]] | None = None,
    **sections: Any,
) -> Configuration:
    """Reps by id with what is special about them; without teams, one team `t` of all of them."""
    chosen = teams or {"t": {}}
    first = next(iter(chosen))
    promise = {"respond_within": "5m", "escalation": "p"}
    return Configuration.model_validate(
        {
            "reps": [{"id": rep, "webhook": "https://reps.example/x", **given} for rep, given in reps.items()],
            "teams": [
                {
                    "id": team,
                    "manager": "https://reps.example/m",
                    "members": [{"rep": rep} for rep in reps],
                    **given,
                }
                for team, given in chosen.items()
            ],
            "escalation_policies": [{"id": "p", "steps": [{"name": "breach", "action": "breach", "at": "100%"}]}],
            **sections,
            "rules": [{**promise, **rule} for rule in sections.get("rules", ())],
            "fallback": {"team": first, **promise, **sections.get("fallback", {})},
        }
    )


def lead(*, identity: str = "somebody", email: str | None = None, **fields: str) -> LeadFacts:
    """A lead; `fields` are those of its form."""
    return lead_facts(
        LeadReceived(
            lead_id=LeadId(new_id()),
            source="website",
            channel="form",
            received_at=MONDAY_NOON,
            identity_key=identity,
            contact=Contact(email=email),
            fields=fields,
        )
    )


def state(
    company: Configuration,
    *,
    moment: datetime = MONDAY_NOON,
    pauses: Mapping[str, str] | None = None,
    loads: Mapping[str, Load] | None = None,
) -> RoutingState:
    """Lines at their beginning."""
    people = Availability(company, moment, pauses=pauses, loads=loads)
    made = RoutingState(people, {team.id: Turns() for team in company.teams})
    for team in company.teams:
        made.observe(company, team.id)
    return made


def routed(
    company: Configuration, present: RoutingState, facts: LeadFacts, moment: datetime = MONDAY_NOON, **question: Any
) -> Decision:
    """Decide for one lead."""
    return decide(Question(facts, rules.match(company, facts), **question), company, present, moment)
