"""Promises about what operators are told of a decision."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.router.company import MONDAY_NOON, configuration, lead, routed, state

from relance_router.domain.availability import Load
from relance_router.domain.configuration import Configuration
from relance_router.domain.explanation import Explanation, Recorded, explain
from relance_router.domain.routing import Assigned, By, Hand, RoutingState


def explained(company: Configuration, present: RoutingState, **question: Any) -> Explanation:
    """A lead's decision, explained from what the database gives back: jsonb forgets the order of keys."""
    facts = lead()
    places = {team: dict(turns.places) for team, turns in present.turns.items()}
    decision = routed(company, present, facts, **question)
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


@given(
    st.sampled_from(["anna", "ben", "chloe", "dan"]),
    st.none() | st.sampled_from(["x", "y", "gone"]),
    st.sets(st.sampled_from(["anna", "ben", "chloe", "dan"])),
)
def test_whom_a_manager_names_gets_the_lead_whatever_else_and_without_a_turn(
    rep: str, team: str | None, away: set[str]
) -> None:
    """In the team that has it (or would have) when they are in it, else in their first, else where it belongs."""
    members = {"x": ("anna", "ben"), "y": ("chloe", "ben")}
    teams = {name: {"members": [{"rep": each} for each in reps]} for name, reps in members.items()}
    company = configuration({"anna": {}, "ben": {}, "chloe": {}, "dan": {}}, teams)
    present = state(company, pauses=dict.fromkeys(away, "ill"))
    before = {name: dict(turns.places) for name, turns in present.turns.items()}
    told = explained(company, present, hand=Hand("maria", "knows them", rep, team), had_it=frozenset({rep}))
    own = {"anna": "x", "ben": "y" if team == "y" else "x", "chloe": "y", "dan": "x"}
    assert told.outcome == Assigned(rep, own[rep], 0, By.MANAGER, "maria gave it to you: knows them")
    assert (told.same, told.candidates) == (True, ())
    assert {name: dict(turns.places) for name, turns in present.turns.items()} == before


def test_a_lead_that_a_manager_takes_away_goes_by_the_usual_decision_and_says_so() -> None:
    """Who had it does not get it again."""
    company = configuration({"anna": {}, "ben": {}})
    told = explained(company, state(company), hand=Hand("maria", "anna is ill"), had_it=frozenset({"anna"}))
    assert isinstance(told.outcome, Assigned)
    assert (told.outcome.rep, told.outcome.by, told.same) == ("ben", By.TURN, True)
    assert "maria had it given to somebody else: anna is ill." in told.words
