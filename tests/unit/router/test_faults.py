"""Promises of checking a configuration whose shape is right."""

from typing import Any

import pytest
from tests.unit.router.configurations import PROMISE, document

from relance_router.domain.configuration import Configuration, Fault, Severity, faults

WARNING = Severity.WARNING


def rep(name: str, **more: object) -> dict[str, Any]:
    return {"id": name, "webhook": "https://reps.example/r", **more}


def team(name: str, *members: str, **more: object) -> dict[str, Any]:
    return {"id": name, "manager": "https://reps.example/m", "members": [{"rep": each} for each in members], **more}


def policy(*steps: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "id": "p",
        "steps": [
            {"name": f"{action}-{at.rstrip('%')}", "action": action, "at": at, "after": after}
            for action, at, after in steps
        ],
    }


def found(**sections: Any) -> list[Fault]:
    return faults(Configuration.model_validate(document(**sections)))


def test_the_configuration_that_the_other_tests_break_has_no_fault() -> None:
    """One rep, one team, one policy, one rule."""
    assert found(rules=[{"when": {"country": "DE"}}]) == []


@pytest.mark.parametrize(
    ("sections", "path", "reason"),
    [
        ({"reps": [rep("r"), rep("r")]}, ("reps", 1, "id"), "'r' is defined twice in reps"),
        ({"teams": [team("t", "r", "r")]}, ("teams", 0, "members", 1, "rep"), "'r' is in team 't' twice"),
        (
            {"territories": [{"id": "a", "countries": ["DE"]}, {"id": "a", "countries": ["AT"]}]},
            ("territories", 1, "id"),
            "'a' is defined twice in territories",
        ),
        ({"sources": ["web", "web"]}, ("sources", 1), "'web' stands twice"),
        (
            {"escalation_policies": [policy(("breach", "100%", "0s"), ("breach", "100%", "0s"))]},
            ("escalation_policies", 0, "steps", 1, "name"),
            "'breach-100' is the name of another step too",
        ),
        (
            {
                "accounts": [
                    {"id": "a", "owner": "r", "domains": ["a.com"]},
                    {"id": "b", "owner": "r", "domains": ["b.com", "a.com"]},
                ]
            },
            ("accounts", 1, "domains", 1),
            "'a.com' belongs to an account already",
        ),
        (
            {
                "calendars": [
                    {"id": "c", "zone": "UTC", "hours": {"mon": "09:00-17:00"}},
                    {"id": "c", "zone": "UTC", "hours": {"mon": "09:00-17:00"}},
                ]
            },
            ("calendars", 1, "id"),
            "'c' is defined twice in calendars",
        ),
    ],
)
def test_what_stands_twice_is_told_with_both_places(
    sections: dict[str, Any], path: tuple[object, ...], reason: str
) -> None:
    """Ids, members, steps, sources, and domains of accounts."""
    (fault,) = found(**sections)
    assert (fault.path, fault.reason, fault.severity) == (path, reason, Severity.ERROR)
    assert fault.other
    assert fault.other != fault.path


@pytest.mark.parametrize(
    ("sections", "path", "reason"),
    [
        ({"teams": [team("t", "x")]}, ("teams", 0, "members", 0, "rep"), "there is no rep 'x'"),
        ({"teams": [team("t", "r", overflow="x")]}, ("teams", 0, "overflow"), "there is no team 'x'"),
        ({"fallback": PROMISE | {"team": "x"}, "rules": [{"when": {}}]}, ("fallback", "team"), "there is no team 'x'"),
        ({"fallback": PROMISE | {"escalation": "x"}}, ("fallback", "escalation"), "there is no escalation policy 'x'"),
        ({"rules": [{"when": {}, "team": "x"}]}, ("rules", 0, "team"), "there is no team 'x'"),
        (
            {"rules": [{"when": {}, "team": None, "split": [{"team": "x", "share": "100%", "escalation": "p"}]}]},
            ("rules", 0, "split", 0, "team"),
            "there is no team 'x'",
        ),
        (
            {"rules": [{"when": {}, "team": None, "split": [{"team": "t", "share": "100%", "escalation": "x"}]}]},
            ("rules", 0, "split", 0, "escalation"),
            "there is no escalation policy 'x'",
        ),
        ({"reps": [rep("r", territories=["x"])]}, ("reps", 0, "territories", 0), "there is no territory 'x'"),
        ({"reps": [rep("r", calendar="x")]}, ("reps", 0, "calendar"), "there is no calendar 'x'"),
        (
            {"accounts": [{"id": "a", "owner": "x", "domains": ["a.com"]}]},
            ("accounts", 0, "owner"),
            "there is no rep 'x'",
        ),
        (
            {"rules": [{"when": {"none": [{"territory": "x"}]}}]},
            ("rules", 0, "when", "none", 0, "territory", "in", 0),
            "there is no territory 'x'",
        ),
        (
            {"rules": [{"when": {"any": [{"received": {"outside": "x"}}]}}]},
            ("rules", 0, "when", "any", 0, "received", "outside"),
            "there is no calendar 'x'",
        ),
        (
            {"sources": ["web"], "rules": [{"when": {"source": ["WEB", "x"]}}]},
            ("rules", 0, "when", "source", "in", 1),
            "there is no source 'x' in sources",
        ),
        (
            {"sources": ["web"], "same_person": {"except_sources": ["web", "x"]}},
            ("same_person", "except_sources", 1),
            "there is no source 'x' in sources",
        ),
    ],
)
def test_a_name_that_nobody_bears_is_told_where_it_stands(
    sections: dict[str, Any], path: tuple[object, ...], reason: str
) -> None:
    """Also in nested conditions and in the arms of a split."""
    assert Fault(path, reason) in found(**sections)  # type: ignore[arg-type]  # paths of several lengths


@pytest.mark.parametrize(
    ("require", "when", "key", "reason"),
    [
        ({"skills": ["x"]}, {}, "skills", "nobody in team 't' has the skill 'x'"),
        ({"skills": ["one", "two"]}, {}, "skills", "nobody in team 't' has all of one, two"),
        ({"territory": True}, {}, "territory", "nobody in team 't' has territories"),
        (
            {"language": "language"},
            {"language": ["de", "fr"]},
            "language",
            "nobody in team 't' speaks 'fr', which this rule is for",
        ),
    ],
)
def test_a_requirement_that_nobody_in_the_team_meets_is_told(
    require: dict[str, Any], when: dict[str, Any], key: str, reason: str
) -> None:
    """No lead of that rule could ever be given to anybody."""
    reps = [rep("r", skills=["one"], languages=["de"]), rep("s", skills=["two"])]
    rules = [{"when": when, "require": require}]
    assert found(reps=reps, teams=[team("t", "r", "s")], rules=rules) == [Fault(("rules", 0, "require", key), reason)]


def test_overflow_in_a_circle_is_told_once() -> None:
    """However many teams it goes through; a team that merely leads there is not blamed."""
    teams = [
        team("t", "r", overflow="a"),
        team("a", "r", overflow="b"),
        team("b", "r", overflow="a"),
        team("alone", "r", overflow="alone"),
    ]
    errors = [fault for fault in found(teams=teams) if fault.severity is Severity.ERROR]
    assert errors == [
        Fault(("teams", 1, "overflow"), "overflow goes in a circle: a -> b -> a"),
        Fault(("teams", 3, "overflow"), "overflow goes in a circle: alone -> alone"),
    ]


def test_teams_and_reps_that_do_nothing_are_warned_of() -> None:
    """A team for which nobody can be there, one that no lead goes to, and a rep in no team."""
    reps = [rep("r", available=False), rep("s"), rep("owner")]
    accounts = [{"id": "a", "owner": "owner", "domains": ["a.com"]}]
    assert found(reps=reps, teams=[team("t", "r"), team("idle", "r", overflow="t")], accounts=accounts) == [
        Fault(("teams", 0, "members"), "nobody in team 't' is ever available: its leads will wait", WARNING),
        Fault(("teams", 1, "members"), "nobody in team 'idle' is ever available: its leads will wait", WARNING),
        Fault(("teams", 1, "id"), "no rule sends leads to team 'idle'", WARNING),
        Fault(("reps", 1, "id"), "rep 's' is in no team and gets no leads", WARNING),
    ]


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ({"postal": ["80000-87999"]}, {"postal": ["1", "87"]}, "overlaps 'a' in DE: 87 and 80000-87999"),
        ({}, {"countries": ["AT", "DE"]}, "overlaps 'a' in DE"),
        ({"postal": ["1", "2"]}, {"postal": ["3"]}, None),
        ({}, {"postal": ["3"]}, None),
        ({}, {"countries": ["AT"]}, None),
    ],
)
def test_territories_that_share_a_place_are_warned_of(
    one: dict[str, Any], other: dict[str, Any], reason: str | None
) -> None:
    """A country beside a part of it is meant so."""
    territories = [{"countries": ["DE"], "id": "a"} | one, {"countries": ["DE"], "id": "b"} | other]
    expected = [Fault(("territories", 1), f"territory 'b' {reason}", WARNING, ("territories", 0))] if reason else []
    assert found(territories=territories) == expected


def test_steps_in_another_order_than_they_happen_are_warned_of() -> None:
    """And a reassignment while the rep still has time. What depends on the window is not judged."""
    path = ("escalation_policies", 0, "steps")
    assert found(escalation_policies=[policy(("breach", "100%", "0s"), ("remind_rep", "50%", "0s"))]) == [
        Fault(
            (*path, 1), "step 'remind_rep-50' falls due before 'breach-100', which stands above it", WARNING, (*path, 0)
        )
    ]
    assert found(escalation_policies=[policy(("reassign", "90%", "0s"), ("breach", "100%", "0s"))]) == [
        Fault(
            (*path, 0),
            "step 'reassign-90' takes the lead away before 'breach-100': the rep's time is not up",
            WARNING,
            (*path, 1),
        )
    ]
    assert not found(escalation_policies=[policy(("remind_rep", "50%", "1h"), ("breach", "100%", "0s"))])


def test_no_rule_may_be_called_fallback() -> None:
    """Explanations and figures would not tell the two apart."""
    (fault,) = found(rules=[{"id": "fallback", "when": {"country": "DE"}}])
    assert fault.path == ("rules", 0, "id")


def test_steps_of_a_clock_that_never_runs_are_warned_of() -> None:
    """No rule with their policy gives a window; one rule that does is enough, and so is one arm of its split."""
    steps = [{"name": "call", "action": "breach", "at": "100%", "clock": "contact"}]
    policies = {"escalation_policies": [{"id": "p", "steps": steps}]}
    reason = "step 'call' never happens: no rule with escalation 'p' gives contact_within, in which the contact clock "
    assert found(**policies) == [
        Fault(("escalation_policies", 0, "steps", 0, "clock"), reason + "counts", WARNING),
    ]
    assert found(**policies, rules=[{"when": {"country": "DE"}, "contact_within": "1h"}]) == []
    assert found(**policies, fallback=PROMISE | {"contact_within": "1h"}) == []


def test_a_team_may_not_name_a_calendar_that_is_not_there() -> None:
    """Its windows would count in no time at all."""
    assert found(teams=[team("t", "r", calendar="office")]) == [
        Fault(("teams", 0, "calendar"), "there is no calendar 'office'")
    ]
