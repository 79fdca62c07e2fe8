"""Promises of rule matching."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.router.configurations import document, lead

from relance_router.domain.configuration import Configuration
from relance_router.domain.rules import FALLBACK, arm_of, match

FIELDS = ("source", "channel", "country")
values = st.sampled_from(["a", "B", "c"])
conditions = st.dictionaries(st.sampled_from(FIELDS), st.one_of(values, st.lists(values, min_size=1)))
leads = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["A", "b", "C", "d"]))
MANY = 4000


def configuration(*whens: dict[str, Any]) -> Configuration:
    return Configuration.model_validate(document(rules=[{"when": when} for when in whens]))


def split(rule: str, *shares: str) -> Configuration:
    """One rule with an arm for each share, each with a window of its own."""
    arms = [
        {"team": "t", "share": share, "respond_within": f"{minutes}m"} for minutes, share in enumerate(shares, start=1)
    ]
    return Configuration.model_validate(document(rules=[{"id": rule, "when": {}, "team": None, "split": arms}]))


def holds(when: dict[str, Any], fields: dict[str, str]) -> bool:
    """The oracle: every condition, spelt out."""
    for name, wanted in when.items():
        accepted = [wanted] if isinstance(wanted, str) else wanted
        if name not in fields or fields[name].lower() not in [value.lower() for value in accepted]:
            return False
    return True


@given(st.lists(conditions, max_size=5), leads)
def test_the_first_rule_whose_every_condition_holds_decides(
    whens: list[dict[str, Any]], fields: dict[str, str]
) -> None:
    """Against trying every rule by hand."""
    expected = next((f"rule-{place}" for place, when in enumerate(whens) if holds(when, fields)), FALLBACK)
    config = configuration(*whens)
    found = match(config, lead(fields))
    assert found.rule == expected
    assert found.promise == config.fallback  # the rules of this test promise the same as the fallback


def test_every_rule_tried_says_which_condition_failed() -> None:
    """The explanation of a lead names what kept each earlier rule from matching."""
    config = configuration({"country": ["FR", "BE"]}, {"campaign": "spring"}, {"source": "website"}, {})
    found = match(config, lead({"source": "website", "country": "DE"}))
    assert [(tried.rule, tried.failed) for tried in found.tried] == [
        ("rule-0", "country is DE, wanted FR or BE"),
        ("rule-1", "campaign is not given, wanted spring"),
        ("rule-2", None),
    ]


def test_the_promise_of_the_rule_is_what_was_configured() -> None:
    """The response window comes from the rule that matched."""
    assert match(configuration({}), lead({})).promise.respond_within == timedelta(minutes=5)


def test_a_rule_may_ask_for_the_territories_of_the_lead_of_which_there_may_be_several() -> None:
    """By country and postal code; one of those that it names is enough."""
    config = Configuration.model_validate(
        document(
            territories=[
                {"id": "germany", "countries": ["DE"]},
                {"id": "bavaria", "countries": ["DE"], "postal": ["80000-87999"]},
                {"id": "alps", "countries": ["AT", "CH"]},
            ],
            rules=[{"when": {"territory": "alps"}}, {"when": {"territory": ["bavaria", "alps"]}}],
        )
    )
    found = match(config, lead({"country": "DE", "postal_code": "D-80331"}))
    assert [(tried.rule, tried.failed) for tried in found.tried] == [
        ("rule-0", "territory is bavaria and germany, wanted alps"),
        ("rule-1", None),
    ]
    assert match(config, lead({"country": "DE"})).rule == FALLBACK


def test_each_arm_of_a_split_gets_its_share_of_people() -> None:
    """Within what chance allows for over 4000 people: five standard deviations."""
    config = split("trial", "10%", "60%", "30%")
    arms = [match(config, lead({}, identity=f"person {number}")).arm for number in range(MANY)]
    for arm, share in enumerate((0.1, 0.6, 0.3)):
        assert abs(arms.count(arm) - MANY * share) < 5 * (MANY * share * (1 - share)) ** 0.5


@given(st.text(), st.sampled_from(["trial", "other"]))
def test_the_same_person_always_falls_into_the_same_arm(identity: str, rule: str) -> None:
    """Whatever else the lead says; and the promise is that arm's."""
    config = split(rule, "50%", "50%")
    first = match(config, lead({"source": "a"}, identity=identity))
    again = match(config, lead({"source": "b"}, identity=identity))
    assert first.arm == again.arm == arm_of(config.rules[0], identity)
    assert first.promise.respond_within == timedelta(minutes=1 + (first.arm or 0))


def test_the_arms_of_two_rules_are_independent() -> None:
    """Who is in the first arm of one trial is in either arm of another."""
    one, other = split("one", "50%", "50%").rules[0], split("other", "50%", "50%").rules[0]
    both = [(arm_of(one, str(number)), arm_of(other, str(number))) for number in range(MANY)]
    for pair in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert abs(both.count(pair) - MANY / 4) < 5 * (MANY * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize("shares", [("50%", "49%"), ("100%", "1%")])
def test_the_shares_of_a_split_make_a_whole(shares: tuple[str, ...]) -> None:
    """Otherwise somebody would be in no arm, or an arm would have nobody."""
    with pytest.raises(ValueError, match="not to 100%"):
        split("trial", *shares)
