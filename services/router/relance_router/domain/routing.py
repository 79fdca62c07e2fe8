"""The decision: a lead, the configuration and the state of the teams in; a rep, or why nobody, with reasons, out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from relance_router.domain import rules
from relance_router.domain.configuration import Configuration, Promise, Team
from relance_router.domain.fair_choice import Choice, Turns, earliest_turn, may_begin
from relance_router.domain.lead_facts import LeadFacts


class UnroutedReason(StrEnum):
    """Why nobody could be given a lead."""

    NOBODY_AVAILABLE = "nobody_available"
    EVERYBODY_HAD_IT = "everybody_available_had_it"


@dataclass
class RoutingState:
    """What decisions depend on and change: each team's line, and how many leads each rep has not yet contacted."""

    turns: dict[str, Turns] = field(default_factory=dict)
    open_leads: dict[str, int] = field(default_factory=dict)

    def ended(self, rep: str) -> None:
        """The rep has one lead less in hand."""
        self.open_leads[rep] = self.open_leads.get(rep, 0) - 1


@dataclass(frozen=True)
class Assigned:
    """The lead goes to `rep`."""

    rep: str
    team: str
    rule: str
    promise: Promise


@dataclass(frozen=True)
class Decision:
    """What was decided and everything that led to it, as plain data that can be stored and checked again."""

    outcome: Assigned | UnroutedReason
    explanation: dict[str, Any]


def teams_concerned(configuration: Configuration, lead: LeadFacts) -> frozenset[str]:
    """The teams whose state `decide` will want for this lead."""
    return frozenset([rules.match(configuration, lead).promise.team])


def decide(
    lead: LeadFacts,
    configuration: Configuration,
    version: int,
    state: RoutingState,
    *,
    had_it: frozenset[str] = frozenset(),
    new_lead: bool = True,
) -> Decision:
    """Choose a rep for one lead, and change `state` by the choice.

    `had_it` are reps who owned the lead before and do not get it again; `new_lead` is False for a lead that was
    declined, whose turn has been given back.
    """
    found = rules.match(configuration, lead)
    explanation: dict[str, Any] = {
        "configuration": version,
        "rules_tried": [{"rule": tried.rule, "failed": tried.failed} for tried in found.tried],
        "rule": found.rule,
    }
    team = configuration.teams_by_id[found.promise.team]

    present, away = _presence(configuration, team, state)
    turns = state.turns.setdefault(team.id, Turns())
    turns.observe(present)
    choice = turns.take(present, had_it, new_lead=new_lead)
    explanation |= {
        "team": team.id,
        "passed_over": away | dict.fromkeys(sorted(had_it & present.keys()), "had this lead before"),
    }
    if choice is None:
        reason = UnroutedReason.EVERYBODY_HAD_IT if present else UnroutedReason.NOBODY_AVAILABLE
        return _unrouted(reason, explanation)
    state.open_leads[choice.rep] = state.open_leads.get(choice.rep, 0) + 1
    explanation |= _choice_explained(choice, present)
    return Decision(Assigned(choice.rep, team.id, found.rule, found.promise), explanation)


def recompute(explanation: Mapping[str, Any]) -> str:
    """Choose again from a stored explanation of an assignment; the same rep, or the explanation is wrong."""
    candidates = explanation["candidates"]
    return earliest_turn(
        int(explanation["virtual_time"]),
        {rep: candidate["weight"] for rep, candidate in candidates.items()},
        {rep: int(candidate["start"]) for rep, candidate in candidates.items()},
    )


def _presence(configuration: Configuration, team: Team, state: RoutingState) -> tuple[dict[str, int], dict[str, str]]:
    """Weights of those who can take a lead now, and the reasons of those who cannot."""
    present: dict[str, int] = {}
    away: dict[str, str] = {}
    for member in team.members:
        rep = configuration.reps_by_id.get(member.rep)
        open_leads = state.open_leads.get(member.rep, 0)
        if rep is None or not rep.available:
            away[member.rep] = "not available"
        elif rep.capacity.open is not None and open_leads >= rep.capacity.open:
            away[member.rep] = f"has {open_leads} leads in hand, which is the most they take"
        else:
            present[member.rep] = member.weight
    return present, away


def _choice_explained(choice: Choice, weights: Mapping[str, int]) -> dict[str, Any]:
    # Virtual times are beyond what a JSON reader keeps exactly as a number.
    return {
        "virtual_time": str(choice.virtual_time),
        "candidates": {
            rep: {"weight": weights[rep], "start": str(start), "may_begin": may_begin(start, choice.virtual_time)}
            for rep, start in sorted(choice.starts.items())
        },
        "chosen": choice.rep,
    }


def _unrouted(reason: UnroutedReason, explanation: dict[str, Any]) -> Decision:
    return Decision(reason, explanation | {"unrouted": reason.value})
