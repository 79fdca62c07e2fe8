"""Promises of rule matching."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from relance_router.domain.configuration import Configuration, Rule
from relance_router.domain.rules import FALLBACK, match

FIELDS = ("source", "channel", "country")
values = st.sampled_from(["a", "B", "c"])
conditions = st.dictionaries(st.sampled_from(FIELDS), st.one_of(values, st.lists(values, min_size=1).map(tuple)))
leads = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["A", "b", "C", "d"]))


def configuration(whens: list[dict[str, str | tuple[str, ...]]], *, fallback: bool) -> Configuration:
    promise = {"team": "t", "respond_within": "5m", "escalation": "p"}
    return Configuration.model_validate(
        {
            "reps": [{"id": "r", "webhook": "https://reps.example/r"}],
            "teams": [{"id": "t", "manager": "https://reps.example/m", "members": [{"rep": "r"}]}],
            "escalation_policies": [{"id": "p", "steps": [{"name": "breach", "action": "breach", "at": "100%"}]}],
            "rules": [{"id": f"rule-{place}", "when": when, **promise} for place, when in enumerate(whens)],
            "fallback": promise if fallback else None,
        }
    )


def holds(rule: Rule, lead: dict[str, str]) -> bool:
    """The oracle: every condition, spelt out."""
    for name, wanted in rule.when.items():
        accepted = [wanted] if isinstance(wanted, str) else list(wanted)
        if name not in lead or lead[name].lower() not in [value.lower() for value in accepted]:
            return False
    return True


@given(st.lists(conditions, max_size=5), leads, st.booleans())
def test_the_first_rule_whose_every_condition_holds_decides(
    whens: list[dict[str, str | tuple[str, ...]]], lead: dict[str, str], fallback: bool
) -> None:
    """Against trying every rule by hand."""
    config = configuration(whens, fallback=fallback)
    expected = next((rule.id for rule in config.rules if holds(rule, lead)), FALLBACK if fallback else None)
    found = match(config, lead)
    assert found.rule == expected
    assert (found.promise is None) == (expected is None)


def test_every_rule_tried_says_which_condition_failed() -> None:
    """The explanation of a lead names what kept each earlier rule from matching."""
    config = configuration([{"country": ("FR", "BE")}, {"source": "website"}], fallback=False)
    found = match(config, {"source": "website", "country": "DE"})
    assert found.rule == "rule-1"
    assert [(tried.rule, tried.failed) for tried in found.tried] == [
        ("rule-0", "country is DE, wanted FR or BE"),
        ("rule-1", None),
    ]


def test_the_promise_of_the_rule_is_what_was_configured() -> None:
    """The response window comes from the rule that matched."""
    found = match(configuration([{}], fallback=False), {})
    assert found.promise
    assert found.promise.respond_within == timedelta(minutes=5)
