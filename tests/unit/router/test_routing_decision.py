"""Promises of the routing decision: who gets a lead, who never does, and the same answer when it is made again."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.router.company import MONDAY_NOON, configuration, lead, routed, state

from relance_router.domain.availability import Load
from relance_router.domain.configuration import Configuration
from relance_router.domain.explanation import Recorded, explain
from relance_router.domain.fair_choice import Place
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.owners import KnownOwner
from relance_router.domain.routing import Assigned, By, Decision, Held, HeldBecause, Offered, RoutingState

OFFICE = {"id": "office", "zone": "Europe/Berlin", "hours": dict.fromkeys(["mon", "tue", "wed"], "09:00-17:00")}


def rep_of(decision: Decision) -> str:
    assert isinstance(decision.outcome, Assigned), decision.outcome
    return decision.outcome.rep


def test_capacity_counts_what_was_given_in_the_same_batch() -> None:
    """Two leads at once do not both go to a rep who takes one."""
    company = configuration({"anna": {"capacity": 1}, "ben": {"capacity": 1}})
    present = state(company)
    decisions = [routed(company, present, lead()) for _ in range(3)]
    assert sorted(rep_of(each) for each in decisions[:2]) == ["anna", "ben"]
    assert decisions[2].outcome == Held(HeldBecause.NOBODY_AVAILABLE, None)


@pytest.mark.parametrize(
    ("capacity", "load"),
    [
        ({"open": 2}, Load(open=2)),
        ({"per_hour": 3}, Load(last_hour=3)),
        ({"per_day": 4}, Load(today=4)),
    ],
)
def test_every_limit_passes_a_rep_over(capacity: dict[str, int], load: Load) -> None:
    """At the limit, not one beyond it."""
    company = configuration({"anna": {"capacity": capacity}, "ben": {}})
    present = state(company, loads={"anna": load})
    assert {rep_of(routed(company, present, lead())) for _ in range(4)} == {"ben"}


def test_a_limit_reached_in_one_team_counts_in_the_other() -> None:
    """A rep of two teams has one capacity."""
    teams: dict[str, dict[str, Any]] = {"t": {}, "u": {}}
    company = configuration(
        {"anna": {"capacity": 1}}, teams, rules=[{"id": "u", "when": {"fields.u": "1"}, "team": "u"}]
    )
    present = state(company)
    assert rep_of(routed(company, present, lead())) == "anna"
    assert isinstance(routed(company, present, lead(u="1")).outcome, Held)
    present.ended(company, "anna")
    assert rep_of(routed(company, present, lead(u="1"))) == "anna"


def test_who_had_the_lead_does_not_get_it_again() -> None:
    """And when everybody had it, that is the reason it stands."""
    company = configuration({"anna": {}, "ben": {}})
    present = state(company)
    assert rep_of(routed(company, present, lead(), had_it=frozenset(["anna"]))) == "ben"
    outcome = routed(company, present, lead(), had_it=frozenset(["anna", "ben"])).outcome
    assert outcome == Held(HeldBecause.EVERYBODY_HAD_IT, None)


def test_a_lead_goes_to_the_overflow_team_only_while_nobody_of_its_own_can_take_it() -> None:
    """And waits when nobody there can either."""
    teams: dict[str, dict[str, Any]] = {
        "t": {"members": [{"rep": "anna"}], "overflow": "u"},
        "u": {"members": [{"rep": "ben"}]},
    }
    company = configuration({"anna": {}, "ben": {}}, teams)
    assert rep_of(routed(company, state(company), lead())) == "anna"
    assert rep_of(routed(company, state(company, pauses={"anna": "ill"}), lead())) == "ben"
    nobody = state(company, pauses={"anna": "ill", "ben": "ill"})
    assert routed(company, nobody, lead()).outcome == Held(HeldBecause.NOBODY_AVAILABLE, None)


def test_a_lead_is_held_until_the_first_rep_is_back() -> None:
    """By working hours, and over a leave."""
    reps: dict[str, dict[str, Any]] = {
        "anna": {"calendar": "office"},
        "ben": {"calendar": "office", "leave": [{"from": "2026-11-23", "until": "2026-11-24"}]},
    }
    company = configuration(reps, calendars=[OFFICE])
    evening = MONDAY_NOON + timedelta(hours=8)
    outcome = routed(company, state(company, moment=evening), lead(), evening).outcome
    assert outcome == Held(HeldBecause.NOBODY_AVAILABLE, MONDAY_NOON.replace(day=24, hour=8))
    only_ben = configuration({"ben": reps["ben"]}, calendars=[OFFICE])
    outcome = routed(only_ben, state(only_ben), lead()).outcome
    assert outcome == Held(HeldBecause.NOBODY_AVAILABLE, MONDAY_NOON.replace(day=25, hour=8))


def test_a_lead_waits_for_who_may_have_it() -> None:
    """Whoever lacks what it asks for, or had it, may come back as soon as they like."""
    reps: dict[str, dict[str, Any]] = {
        "anna": {"skills": ["solar"], "leave": [{"from": "2026-11-23", "until": "2026-11-24"}]},
        "ben": {"leave": [{"from": "2026-11-23", "until": "2026-11-23"}]},
        "chloe": {},
    }
    company = configuration(reps, fallback={"require": {"skills": ["solar"]}})
    wednesday = MONDAY_NOON.replace(day=25, hour=0)
    assert routed(company, state(company), lead()).outcome == Held(HeldBecause.NOBODY_AVAILABLE, wednesday)
    anybody = configuration(reps)
    outcome = routed(anybody, state(anybody), lead(), had_it=frozenset(["ben", "chloe"])).outcome
    assert outcome == Held(HeldBecause.EVERYBODY_HAD_IT, wednesday)


def test_skills_language_and_territory_are_asked_of_the_rep() -> None:
    """Who lacks one is passed over; a lead that says no language may go to anybody."""
    company = configuration(
        {
            "anna": {"skills": ["solar"], "languages": ["de"], "territories": ["south"]},
            "ben": {"languages": ["fr"]},
        },
        territories=[{"id": "south", "countries": ["DE"]}],
        rules=[
            {"id": "solar", "when": {"fields.want": "solar"}, "team": "t", "require": {"skills": ["solar"]}},
            {"id": "place", "when": {"fields.want": "place"}, "team": "t", "require": {"territory": True}},
        ],
        fallback={"require": {"language": "fields.language"}},
    )
    present = state(company)
    assert {rep_of(routed(company, present, lead(want="solar"))) for _ in range(3)} == {"anna"}
    assert rep_of(routed(company, present, lead(language="fr-CH"))) == "ben"
    assert {rep_of(routed(company, present, lead())) for _ in range(9)} == {"anna", "ben"}
    assert routed(company, present, lead(language="it")).outcome == Held(HeldBecause.NOBODY_FITS, None)
    assert routed(company, present, lead(want="place")).outcome == Held(HeldBecause.NOBODY_FITS, None)


def test_a_known_owner_comes_before_anybodys_turn_and_pays_with_a_turn() -> None:
    """While available; then it is the team's turn. What the owner got counts towards the owner's share."""
    company = configuration({"anna": {}, "ben": {}})
    known = (KnownOwner("anna", "had this person's last lead"),)
    present = state(company)
    first = routed(company, present, lead(), known=known).outcome
    assert first == Assigned("anna", "t", 1, By.OWNER, "had this person's last lead")
    assert rep_of(routed(company, present, lead())) == "ben"
    away = state(company, pauses={"anna": "ill"})
    assert rep_of(routed(company, away, lead(), known=known)) == "ben"


def test_an_owner_outside_the_team_takes_nobodys_turn() -> None:
    """The team's line does not move."""
    teams: dict[str, dict[str, Any]] = {"t": {"members": [{"rep": "ben"}]}}
    company = configuration({"anna": {}, "ben": {}}, teams)
    present = state(company)
    outcome = routed(company, present, lead(), known=(KnownOwner("anna", "the named owner of account a"),)).outcome
    assert outcome == Assigned("anna", "t", 0, By.OWNER, "the named owner of account a")
    assert present.turns["t"].virtual_time == 0


def test_the_least_loaded_for_their_weight_gets_the_lead() -> None:
    """Three open leads of a rep of weight 4 are less than one of a rep of weight 1; four are the same, and then it is
    the turn of who has waited.
    """
    teams = {"t": {"choose": "least_loaded", "members": [{"rep": "anna", "weight": 4}, {"rep": "ben"}]}}
    company = configuration({"anna": {}, "ben": {}}, teams)
    present = state(company, loads={"anna": Load(open=2), "ben": Load(open=1)})
    assert [rep_of(routed(company, present, lead())) for _ in range(3)] == ["anna", "anna", "ben"]


def test_a_broadcast_lead_is_offered_to_all_who_can_and_unclaimed_goes_by_turns() -> None:
    """One candidate alone is not asked but given it."""
    company = configuration({"anna": {}, "ben": {}, "chloe": {}}, {"t": {"choose": "broadcast", "claim_within": "90s"}})
    present = state(company, pauses={"chloe": "ill"})
    offered = routed(company, present, lead()).outcome
    assert offered == Offered(("anna", "ben"), "t", MONDAY_NOON + timedelta(seconds=90))
    assert rep_of(routed(company, present, lead(), unclaimed=True)) in {"anna", "ben"}
    assert rep_of(routed(company, present, lead(), had_it=frozenset(["anna"]))) == "ben"


REPS = ("anna", "ben", "chloe", "dan")
TEAMS = ("t", "u", "v")


@st.composite
def companies(draw: st.DrawFn) -> Configuration:
    """Companies that use everything that a decision knows."""
    reps = {
        rep: {
            "available": draw(st.sampled_from([True, True, True, False])),
            "capacity": draw(st.sampled_from([{}, {}, {"open": 2}, {"per_hour": 3}, {"per_day": 3}])),
            "skills": draw(st.sampled_from([[], ["solar"]])),
            "languages": draw(st.sampled_from([[], ["de"], ["de", "fr"]])),
        }
        for rep in REPS
    }
    teams = {
        team: {
            "choose": draw(st.sampled_from(["fair", "fair", "least_loaded", "broadcast"])),
            "members": [
                {"rep": rep, "weight": draw(st.integers(1, 5))}
                for rep in draw(st.lists(st.sampled_from(REPS), min_size=1, unique=True))
            ],
            # Later teams only: a circle is refused before anything is decided.
            "overflow": draw(st.sampled_from([None, *TEAMS[place + 1 :]])),
        }
        for place, team in enumerate(TEAMS)
    }
    require = {"skills": draw(st.sampled_from([[], ["solar"]])), "language": "fields.language"}
    rules = [{"id": team, "when": {"fields.team": team}, "team": team, "require": require} for team in TEAMS]
    return configuration(reps, teams, rules=rules)


leads = st.builds(
    lead, team=st.sampled_from(TEAMS), language=st.sampled_from(["de", "fr", "it"]), identity=st.sampled_from("xyz")
)
questions = st.lists(
    st.tuples(
        leads,
        st.frozensets(st.sampled_from(REPS), max_size=2),
        st.lists(st.builds(KnownOwner, st.sampled_from(REPS), st.just("knows them")), max_size=1).map(tuple),
        st.booleans(),
    ),
    max_size=25,
)


@given(companies(), questions, st.dictionaries(st.sampled_from(REPS), st.just("ill"), max_size=2))
def test_whatever_happens_nobody_gets_a_lead_they_must_not_and_every_decision_can_be_made_again(
    company: Configuration,
    asked: list[tuple[LeadFacts, frozenset[str], tuple[KnownOwner, ...], bool]],
    pauses: dict[str, str],
) -> None:
    """Against who may have it, spelt out; and invariant 5, through JSON and back."""
    present = state(company, pauses=pauses)
    played: dict[str, dict[str, Place]] = {team: {} for team in TEAMS}
    for facts, had_it, known, unclaimed in asked:
        before = {rep: present.people.absence(rep) for rep in REPS}
        decision = routed(company, present, facts, had_it=had_it, known=known, unclaimed=unclaimed)
        outcome = decision.outcome
        may = who_may(company, facts, had_it, before)
        by_team = [may[team] for team in company.teams_after(facts.fields["fields.team"])]
        first = next((reps for reps in by_team if reps), set())
        match outcome:
            case Assigned(by=By.OWNER, rep=rep):
                assert rep == known[0].rep
                assert before[rep] is None
                assert rep not in had_it
            case Assigned(rep=rep):
                assert rep in first
            case Offered(reps=reps):
                assert set(reps) == first
            case Held():
                assert first == set()
        assert_made_again(company, facts, decision, present, played)


def who_may(
    company: Configuration, facts: LeadFacts, had_it: frozenset[str], absences: dict[str, str | None]
) -> dict[str, set[str]]:
    """The oracle: by team, who is there, did not have it, and has what it asks for."""
    rule = next(rule for rule in company.rules if rule.id == facts.fields["fields.team"])
    return {
        team.id: {
            member.rep
            for member in team.members
            if absences[member.rep] is None
            and member.rep not in had_it
            and set(rule.require.skills) <= set(company.reps_by_id[member.rep].skills)
            and facts.fields["fields.language"] in company.reps_by_id[member.rep].languages
        }
        for team in company.teams
    }


def assert_made_again(
    company: Configuration,
    facts: LeadFacts,
    decision: Decision,
    present: RoutingState,
    played: dict[str, dict[str, Place]],
) -> None:
    """From the changes that had been stored before the decision, and its record."""
    record = json.loads(json.dumps(decision.record))
    for team, line in record["lines"].items():
        for change in present.turns[team].changes[: line["change"]]:
            played[team][change.rep] = change.place
    outcome = decision.outcome
    chosen = (
        {"rep": outcome.rep, "team": outcome.team, "by": outcome.by.value} if isinstance(outcome, Assigned) else None
    )
    stands = None if isinstance(outcome, Assigned) else outcome.because.value
    stored = Recorded(facts, company, 1, MONDAY_NOON, {**record, "chosen": chosen, "stands": stands}, played)
    explained = explain(stored)
    assert explained.same
    assert explained.outcome == outcome
    passed_over = [each for each in explained.candidates if not each.chosen]
    assert all(each.reason for each in passed_over)
    assert explained.words


def test_leave_is_counted_in_days_of_the_reps_own_zone() -> None:
    """Midnight in Berlin is eleven at night in London."""
    company = configuration(
        {"anna": {"calendar": "day", "leave": [{"from": date(2026, 11, 24), "until": date(2026, 11, 24)}]}},
        calendars=[
            {"id": "day", "zone": "Europe/Berlin", "hours": dict.fromkeys(["mon", "tue", "wed"], "00:00-24:00")}
        ],
    )
    for hour, rep_is_there in ((22, True), (23, False)):
        moment = MONDAY_NOON.replace(hour=hour)
        there = isinstance(routed(company, state(company, moment=moment), lead(), moment).outcome, Assigned)
        assert there is rep_is_there
