"""Promises of the JSON Schema that editors check routing.yaml by."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from tests.unit.router.configurations import document

from relance_router.configuration import schema
from relance_router.configuration.yaml_reader import read
from relance_router.domain.configuration import Configuration

VALIDATOR = Draft202012Validator(schema.schema())
ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "deploy/config/routing.yaml"

# Values of every make, right and wrong ones alike: the schema must accept whatever is accepted.
values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["DE", "", 7, 7.5, True, None, [], ["DE", 7], {}, "18:00-08:00"]),
    st.dictionaries(
        st.sampled_from(["equals", "in", "prefix", "at_least", "below", "matches", "domain", "postal", "exists", "is"]),
        st.sampled_from(["a.com", ["a.com"], [8, "80000-87999"], 8, 0.5, True, "(", None]),
        max_size=1,
    ),
    st.dictionaries(
        st.sampled_from(["time", "days", "zone", "during"]),
        st.sampled_from(["18:00-08:00", "mon", ["mon", "fri"], "UTC", "office", 5]),
        min_size=1,
    ),
)
names = st.sampled_from(["country", "score", "fields.x", "fields.", "contry", "territory", "received"])
conditions = st.recursive(
    st.dictionaries(names, values, max_size=1),
    lambda inner: st.dictionaries(st.sampled_from(["all", "any", "none"]), st.lists(inner, max_size=2), max_size=1),
    max_leaves=4,
)
durations = st.sampled_from(["5m", "1h30m", "0s", "", "soon", 5, "1.5s", None])
promises = st.fixed_dictionaries(
    {},
    optional={
        "respond_within": durations,
        "require": st.sampled_from([{"skills": ["a"]}, {"language": "language"}, {"language": "x"}, {}, None]),
        "sticky": st.sampled_from([True, False, "no", 0]),
        "split": st.sampled_from([[], [{"team": "t", "share": "100%"}], [{"team": "t", "share": "0%"}], None]),
    },
)
reps = st.fixed_dictionaries(
    {"id": st.sampled_from(["anna", "Anna", ""])},
    optional={
        "webhook": st.sampled_from(["https://reps.example/a", "anna"]),
        "email": st.just("anna@example.com"),
        "available": st.sampled_from([False, "no"]),
        "capacity": st.sampled_from([5, 0, "5", {"open": 5, "per_hour": 1}, {"per_week": 1}]),
        "leave": st.sampled_from(
            [[{"from": "2026-12-01", "until": "2026-12-02"}], [{"from": "2026-12-01"}], [{"from": 0, "until": 0}]]
        ),
        "languages": st.sampled_from([["de"], "de"]),
    },
)


# One part at a time, for otherwise hardly any would be accepted.
documents = st.one_of(
    conditions.map(lambda when: document(rules=[{"when": when}])),
    promises.map(lambda promise: document(rules=[{"when": {}} | promise])),
    reps.map(lambda rep: document(reps=[rep])),
)


def accepted(content: Any) -> bool:
    """Whether it has the right shape."""
    try:
        Configuration.model_validate(content)
    except ValidationError:
        return False
    return True


def test_the_published_schema_is_that_of_the_code() -> None:
    """`python -m relance_router.configuration.schema` writes it."""
    assert (ROOT / schema.PUBLISHED).read_text() == schema.schema_text()
    Draft202012Validator.check_schema(schema.schema())


def test_the_sample_names_its_schema_and_is_valid_by_it() -> None:
    """An editor that opens it helps at once."""
    assert SAMPLE.read_text().startswith(f"# yaml-language-server: $schema={Path(schema.PUBLISHED).name}\n")
    assert list(VALIDATOR.iter_errors(read(SAMPLE.read_text()).content)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": {"when": {"contry": "DE"}}},
        {"rule": {"when": {"country": {"is": "DE"}}}},
        {"rule": {"when": {"country": None}}},
        {"rule": {"when": {"any": []}}},
        {"rule": {"when": {"none": [{"score": {"at_least": "5"}}]}}},
        {"rule": {"when": {"received": {"days": "monday", "zone": "UTC"}}}},
        {"rule": {"when": {}, "respond_within": 5}},
        {"rule": {"when": {}, "respond_within": "soon"}},
        {"rule": {"respond_within": "5m"}},
        {"reps": [{"id": "Anna", "webhook": "https://reps.example/a"}]},
        {"reps": [{"id": "anna", "webhook": "https://reps.example/a", "capacity": 0}]},
        {"reps": [{"id": "anna", "webhook": "https://reps.example/a", "colour": "red"}]},
        {"teams": []},
        {"fallback": None},
        {"colour": "red"},
    ],
)
def test_what_is_plainly_wrong_is_marked_in_the_editor(wrong: dict[str, Any]) -> None:
    """Before anybody runs `check`; which refuses it too."""
    rules = [wrong.pop("rule")] if "rule" in wrong else []
    content = document(rules=rules, **wrong)
    assert not accepted(content)
    assert not VALIDATOR.is_valid(content)


@given(documents)
def test_what_is_accepted_is_valid_by_the_schema(content: dict[str, Any]) -> None:
    """No editor marks as wrong what runs."""
    assert not accepted(content) or VALIDATOR.is_valid(content)


def test_a_key_that_is_not_known_is_told_with_those_that_are() -> None:
    """At every place where keys are, also within lists and short forms."""
    assert schema.possible_keys(["rules", 0, "split", 1]) == (
        "team",
        "share",
        "respond_within",
        "contact_within",
        "decide_within",
        "escalation",
    )
    assert schema.possible_keys(["rules", 0, "when", "none", 2, "fields.x"])[:2] == ("equals", "in")
    assert schema.possible_keys(["teams", 0, "manager"]) == ("webhook", "slack", "teams", "email")
