"""Promises about what operators are told of a decision."""

import json
from collections.abc import Mapping
from typing import Any

from tests.unit.router.company import MONDAY_NOON, configuration, lead, routed, state

from relance_router.domain.availability import Load
from relance_router.domain.configuration import Configuration
from relance_router.domain.explanation import Explanation, Recorded, explain
from relance_router.domain.routing import Assigned, RoutingState


def explained(company: Configuration, present: RoutingState) -> Explanation:
    """A lead's decision, explained from what the database gives back: jsonb forgets the order of keys."""
    facts = lead()
    places = {team: dict(turns.places) for team, turns in present.turns.items()}
    decision = routed(company, present, facts)
    outcome = decision.outcome
    assert isinstance(outcome, Assigned)
    chosen = {"rep": outcome.rep, "team": outcome.team, "by": outcome.by.value}
    record: Mapping[str, Any] = json.loads(json.dumps({**decision.record, "chosen": chosen}, sort_keys=True))
    return explain(Recorded(facts, company, 1, MONDAY_NOON, record, places))


def test_an_overflow_is_told_in_the_order_in_which_the_teams_were_asked() -> None:
    """Whatever the teams are called: who of the lead's own team was passed over, and nobody who was never looked at."""
    teams: dict[str, dict[str, Any]] = {
        "z": {"members": [{"rep": "anna"}], "overflow": "b"},
        "b": {"members": [{"rep": "ben"}], "overflow": "a"},
        "a": {"members": [{"rep": "chloe"}]},
    }
    company = configuration({"anna": {}, "ben": {}, "chloe": {}}, teams)
    told = explained(company, state(company, pauses={"anna": "ill"}))
    assert [(each.team, each.rep, each.chosen) for each in told.candidates] == [
        ("z", "anna", False),
        ("b", "ben", True),
    ]
    assert "anna (team z) was passed over: paused: ill." in told.words


def test_a_held_lead_that_would_be_held_for_another_reason_is_not_the_same() -> None:
    """Nor one that would be offered: nobody is told that all is as it was."""
    company = configuration({"anna": {}, "ben": {}}, {"t": {"choose": "broadcast"}})
    present = state(company)
    decision = routed(company, present, lead())
    for stands, same in (("offered", True), ("nobody_available", False)):
        record = {**decision.record, "chosen": None, "stands": stands}
        stored = Recorded(lead(), company, 1, MONDAY_NOON, record, {"t": present.turns["t"].places})
        assert explain(stored).same is same


def test_where_the_load_decides_nobody_is_told_of_turns() -> None:
    """Who is passed over hears how many leads they have."""
    teams: dict[str, dict[str, Any]] = {
        "t": {"choose": "least_loaded", "members": [{"rep": "anna"}, {"rep": "ben", "weight": 2}]}
    }
    company = configuration({"anna": {}, "ben": {}}, teams)
    told = explained(company, state(company, loads={"anna": Load(open=1), "ben": Load(open=3)}))
    assert [(each.rep, each.reason) for each in told.candidates] == [
        ("anna", "fewest open leads in team t"),
        ("ben", "has 3 open leads for a weight of 2"),
    ]
    assert "ben (team t) was passed over: has 3 open leads for a weight of 2." in told.words
