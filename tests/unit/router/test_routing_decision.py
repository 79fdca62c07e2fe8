"""Promises of the routing decision: reasons, capacity, and the same answer again."""

import json

from hypothesis import given
from hypothesis import strategies as st

from relance_router.domain.configuration import Configuration
from relance_router.domain.routing import Assigned, RoutingState, UnroutedReason, decide, recompute


def configuration(reps: list[dict[str, object]], *, fallback: bool = True) -> Configuration:
    return Configuration.model_validate(
        {
            "reps": [{"webhook": "https://reps.example/x", **rep} for rep in reps],
            "teams": [
                {"id": "t", "manager": "https://reps.example/m", "members": [{"rep": rep["id"]} for rep in reps]}
            ],
            "escalation_policies": [{"id": "p", "steps": [{"name": "breach", "action": "breach", "at": "100%"}]}],
            "fallback": {"team": "t", "respond_within": "5m", "escalation": "p"} if fallback else None,
        }
    )


def test_a_lead_that_nothing_matches_stands_unrouted_with_the_reason() -> None:
    """No rule, no fallback."""
    decision = decide({}, configuration([{"id": "anna"}], fallback=False), 1, RoutingState())
    assert decision.outcome is UnroutedReason.NO_RULE


def test_who_is_away_or_full_is_passed_over_with_the_reason() -> None:
    """The explanation names everybody who did not get the lead although in the team."""
    config = configuration([{"id": "anna", "available": False}, {"id": "ben", "capacity": 1}, {"id": "chloe"}])
    state = RoutingState(open_leads={"ben": 1})
    decision = decide({}, config, 7, state)
    assert isinstance(decision.outcome, Assigned)
    assert decision.outcome.rep == "chloe"
    assert decision.explanation["configuration"] == 7
    assert decision.explanation["rule"] == "fallback"
    assert decision.explanation["passed_over"] == {
        "anna": "not available",
        "ben": "has 1 leads in hand, which is the most they take",
    }


def test_capacity_counts_what_was_given_in_the_same_batch() -> None:
    """Two leads at once do not both go to a rep who takes one."""
    config = configuration([{"id": "anna", "capacity": 1}, {"id": "ben", "capacity": 1}])
    state = RoutingState()
    outcomes = [decide({}, config, 1, state).outcome for _ in range(3)]
    given_to = [outcome.rep for outcome in outcomes if isinstance(outcome, Assigned)]
    assert sorted(given_to) == ["anna", "ben"]
    assert outcomes[2] is UnroutedReason.NOBODY_AVAILABLE


def test_who_had_the_lead_does_not_get_it_again() -> None:
    """And when everybody had it, that is the reason it stands unrouted."""
    config = configuration([{"id": "anna"}, {"id": "ben"}])
    state = RoutingState()
    second = decide({}, config, 1, state, had_it=frozenset(["anna"]))
    assert isinstance(second.outcome, Assigned)
    assert second.outcome.rep == "ben"
    third = decide({}, config, 1, state, had_it=frozenset(["anna", "ben"]))
    assert third.outcome is UnroutedReason.EVERYBODY_HAD_IT


@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from(["anna", "ben", "chloe", "dan"]))), max_size=60))
def test_every_assignment_can_be_recomputed_from_its_stored_explanation(
    leads: list[tuple[bool, set[str]]],
) -> None:
    """Invariant 5: through JSON and back, the explanation gives the rep who was chosen."""
    config = configuration([{"id": "anna"}, {"id": "ben", "capacity": 9}, {"id": "chloe"}, {"id": "dan"}])
    state = RoutingState()
    for new_lead, had_it in leads:
        decision = decide({}, config, 1, state, had_it=frozenset(had_it), new_lead=new_lead)
        if isinstance(decision.outcome, Assigned):
            assert recompute(json.loads(json.dumps(decision.explanation))) == decision.outcome.rep
