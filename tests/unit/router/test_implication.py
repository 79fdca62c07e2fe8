"""Promises of calling a rule unreachable: never a false accusation, and the plain cases are seen."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.router.configurations import MONDAY_NOON, document, lead

from relance_router.domain.conditions import Circumstances, failure
from relance_router.domain.configuration import Condition, Configuration, faults
from relance_router.domain.configuration.faults.implication import implies

# Few values, so that one condition often follows from another.
words = st.sampled_from(["a", "ab", "ss", "ß", "7", "8", "b.a", "a.b.a", "10115"])
prefixes = st.sampled_from(["a", "ab", "1", "S", "b.a"])
some = st.lists(words, min_size=1, max_size=3)
operators = st.one_of(
    words,
    some,
    st.dictionaries(st.sampled_from(["prefix", "suffix", "contains"]), prefixes, min_size=1, max_size=2),
    st.dictionaries(
        st.sampled_from(["at_least", "at_most", "above", "below"]), st.sampled_from([7, 8]), min_size=1, max_size=2
    ),
    st.sampled_from([{"matches": "^..$"}, {"matches": "s"}, {"domain": "b.a"}, {"domain": "a.b.a"}]),
    st.sampled_from([{"postal": "1"}, {"postal": ["1", "10"]}, {"postal": "10000-10999"}]),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
territories = st.sampled_from(["north", ["north", "south"], {"exists": True}, {"exists": False}])
received = st.sampled_from([{"days": "mon", "zone": "UTC"}, {"time": "09:00-17:00", "zone": "UTC"}])
flat = st.dictionaries(st.sampled_from(["country", "company"]), operators, max_size=2)
documents = st.recursive(
    st.one_of(
        flat,
        st.fixed_dictionaries({"territory": territories}),
        st.fixed_dictionaries({"received": received}),
    ),
    lambda inner: st.builds(
        lambda entries, nested: entries | nested,
        flat,
        st.dictionaries(st.sampled_from(["all", "any", "none"]), st.lists(inner, min_size=1, max_size=2), max_size=2),
    ),
    max_leaves=5,
)
VALUES = ["a", "aB", "AB", "ss", "SS", "ß", "7", "7.5", "8", "b.a", "A.b.a", "10115", "1 0115", "x", None]
PLACES = [frozenset(), frozenset(["north"]), frozenset(["south"]), frozenset(["north", "south"])]
TIMES = [MONDAY_NOON, MONDAY_NOON + timedelta(hours=12)]
LEADS = [
    Circumstances(
        lead({name: value for name, value in (("country", country), ("company", company)) if value}, at), places, {}
    )
    for country, company, places, at in product(VALUES, VALUES, PLACES, TIMES)
]


@settings(max_examples=400)
@given(documents, documents)
def test_what_is_said_to_follow_does_for_every_lead(premise: dict[str, Any], goal: dict[str, Any]) -> None:
    """No lead matches a rule that is called unreachable: every lead of the few values that the rules name is tried."""
    later, earlier = Condition.model_validate(premise), Condition.model_validate(goal)
    if not implies(later, earlier):
        return
    for each in LEADS:
        assert failure(earlier, each) is None or failure(later, each) is not None


@given(documents, documents)
def test_a_condition_follows_from_itself_and_from_itself_with_more_to_it(
    when: dict[str, Any], more: dict[str, Any]
) -> None:
    """The plainest case: the same rule twice."""
    condition = Condition.model_validate(when)
    assert implies(condition, condition)
    assert implies(Condition.model_validate({"all": [more, when]}), condition)
    assert implies(condition, Condition.model_validate({"any": [more, when]}))
    assert implies(condition, Condition.model_validate({}))


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ({"country": "de"}, {"country": ["DE", "AT"]}),
        ({"country": "DE", "source": "web"}, {"country": "DE"}),
        ({"country": ["DE", "AT"]}, {"any": [{"country": "DE"}, {"country": "AT"}]}),
        ({"any": [{"country": "DE"}, {"country": "AT", "source": "web"}]}, {"country": ["AT", "DE", "CH"]}),
        ({"campaign": {"prefix": "spring-sale"}}, {"campaign": {"prefix": ["spring", "summer"]}}),
        ({"campaign": "spring-1"}, {"campaign": {"contains": "ring", "suffix": "1"}}),
        ({"score": {"above": 80}}, {"score": {"at_least": 50}}),
        ({"score": {"at_most": 5, "above": 1}}, {"score": {"below": 6}}),
        ({"email_domain": {"domain": "mail.a.com"}}, {"email_domain": {"domain": ["a.com"]}}),
        ({"country": "DE"}, {"none": [{"country": ["FR", "BE"]}]}),
        ({"country": "DE", "none": [{"source": "web"}]}, {"none": [{"source": "web", "channel": "form"}]}),
        ({"company": {"contains": "x"}}, {"company": {"exists": True}}),
        ({"territory": "a"}, {"territory": ["a", "b"]}),
        ({"postal_code": "80331"}, {"postal_code": {"postal": "80000-87999"}}),
    ],
)
def test_a_rule_that_an_earlier_one_always_takes_is_seen(later: dict[str, Any], earlier: dict[str, Any]) -> None:
    """Weaker, wider, or the same in other words; told at the later rule, naming the earlier."""
    sections = {"territories": [{"id": "a", "countries": ["DE"]}, {"id": "b", "countries": ["AT"]}]}
    config = Configuration.model_validate(document(rules=[{"when": earlier}, {"when": later}], **sections))
    (fault,) = faults(config)
    assert (fault.path, fault.other) == (("rules", 1), ("rules", 0))
    assert fault.reason == "rule 'rule-1' is never reached: rule 'rule-0' above it takes all of its leads"
    turned = Configuration.model_validate(document(rules=[{"when": later}, {"when": earlier}], **sections))
    assert bool(faults(turned)) == implies(turned.rules[1].when, turned.rules[0].when)


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ({}, {"country": "DE"}),
        ({"country": ["DE", "FR"]}, {"country": ["DE", "AT"]}),
        ({"company": {"exists": False}}, {"none": [{"source": "web"}]}),
        ({"company": {"matches": "^ss$"}}, {"company": {"matches": "s"}}),
        ({"score": {"at_least": 50}}, {"score": {"above": 50}}),
        ({"any": [{"country": "DE"}, {"source": "web"}]}, {"country": "DE"}),
        ({"territory": ["a", "b"]}, {"territory": "a"}),
    ],
)
def test_a_rule_that_some_lead_reaches_is_not_accused(later: dict[str, Any], earlier: dict[str, Any]) -> None:
    """Nor is one where it cannot be told."""
    assert not implies(Condition.model_validate(later), Condition.model_validate(earlier))
