"""Promises of rehearsals: the same from the same seed, no lead lost, nobody asked who cannot, and exact shares."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import groupby
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.router.company import MONDAY_NOON, configuration

from relance_router.domain.availability import Availability, local_day, presence_calendar
from relance_router.domain.configuration import Configuration
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.past_leads import PastLead
from relance_router.domain.simulation import Given, SimulatedLead, compare, generate, of_the_past, simulate

MONDAY = date(2026, 11, 23)
OFFICE = {"id": "office", "zone": "Europe/Berlin", "hours": dict.fromkeys(["mon", "tue", "wed"], "09:00-17:00")}
NIGHTS = {"id": "nights", "zone": "America/New_York", "hours": {"mon": "20:00-04:00", "wed": "22:00-06:00"}}
TEAMS: dict[str, dict[str, Any]] = {
    "t": {"overflow": "u"},
    "u": {"choose": "least_loaded"},
    "v": {"choose": "broadcast"},
}
RULES = [
    {"id": "skilled", "when": {"fields.wants": "skill"}, "team": "t", "require": {"skills": ["s"]}},
    {"id": "shared", "when": {"country": ["DE", "AT"]}, "team": "v"},
    {"id": "scored", "when": {"any": [{"score": {"at_least": 50}}, {"source": "ads"}]}, "team": "u"},
]

capacities = st.fixed_dictionaries({}, optional={limit: st.integers(1, 4) for limit in ("open", "per_hour", "per_day")})
leaves = st.integers(0, 6).flatmap(
    lambda first: st.integers(0, 3).map(
        lambda days: {
            "from": str(MONDAY + timedelta(days=first)),
            "until": str(MONDAY + timedelta(days=first + days)),
        }
    )
)
reps = st.fixed_dictionaries(
    {"skills": st.sampled_from([[], ["s"]])},
    optional={
        "calendar": st.sampled_from(["office", "nights"]),
        "leave": st.lists(leaves, max_size=2),
        "capacity": capacities,
        "available": st.booleans(),
    },
)
seeds = st.integers(0, 2**32)


@st.composite
def companies(draw: st.DrawFn, *, limited: bool = False) -> Configuration:
    """A few reps in teams of every kind, with everything that makes somebody absent; each with limits, if asked."""
    people = draw(st.lists(reps, min_size=1, max_size=5))
    if limited:
        people = [{**rep, "available": True, "capacity": draw(capacities)} for rep in people]
    sections: dict[str, Any] = {"stickiness": {"within": "1d"}} if draw(st.booleans()) else {}
    if draw(st.booleans()):
        sections["same_person"] = {"within": "12h", "except_sources": draw(st.sampled_from([[], ["ads"]]))}
    return configuration(
        {f"r{number}": rep for number, rep in enumerate(people)},
        TEAMS,
        calendars=[OFFICE, NIGHTS],
        rules=RULES,
        accounts=[{"id": "a", "owner": "r0", "domains": ["gmail.com"]}],
        **sections,
    )


def made_up(company: Configuration, seed: int, count: int = 80, days: int = 3) -> list[SimulatedLead]:
    return generate(company, count, begin=MONDAY, days=days, random=Random(seed))  # noqa: S311 - a seed is wanted


@given(companies(), seeds)
@settings(max_examples=20)
def test_the_same_seed_gives_the_same_leads_and_the_same_report(company: Configuration, seed: int) -> None:
    """Whatever was rehearsed before; and compared with itself, a configuration changes nothing."""
    leads = made_up(company, seed)
    assert leads == made_up(company, seed)
    report = simulate(company, leads, seed=seed)
    assert report == simulate(company, leads, seed=seed)
    same = compare(report, report)
    assert same.moved == 0
    assert {each.gain for each in (*same.reps, *same.teams, *same.rules, *same.windows_missed, *same.held)} <= {0}


@given(companies(), seeds)
@settings(max_examples=50)
def test_every_lead_has_one_owner_or_waits_or_joined_another(company: Configuration, seed: int) -> None:
    """leads = assigned + waiting + joined, by rep, by team, by rule and by window; none joins a lead that joined."""
    leads = made_up(company, seed)
    report = simulate(company, leads, seed=seed)
    assert report.leads == len(leads) == report.assigned + report.waiting + report.joined
    assert report.leads - report.joined == sum(report.by_rule.values())
    joins = {touch: root for touch, root in enumerate(report.joined_to) if root is not None}
    assert len(joins) == report.joined
    assert joins.keys().isdisjoint({*joins.values(), *(each.place for each in report.timeline)})
    assert report.assigned == sum(report.by_rep.values()) == sum(report.by_team.values())
    assert report.assigned == report.windows_kept + report.windows_missed
    assert (
        report.declined
        == sum(each.declined for each in report.timeline)
        == len(report.timeline) - len({each.place for each in report.timeline if not each.declined})
    )
    assert sum(each.waiting for each in report.holds) == report.waiting
    assert len({(each.place, each.rep) for each in report.timeline}) == len(report.timeline), "nobody gets one twice"


def can_take(company: Configuration, name: str, timeline: Sequence[Given], moment: datetime) -> bool:
    """Whether a rep may have one more, counted over everything that they were given before."""
    if Availability(company, moment).absence(name) is not None:
        return False
    rep = company.reps_by_id[name]
    before = [each for each in timeline if each.rep == name and each.at <= moment]
    day = local_day(presence_calendar(company, rep), moment)
    numbers = {
        "open": sum(each.until is None or each.until > moment for each in before),
        "per_hour": sum(each.at > moment - timedelta(hours=1) for each in before),
        "per_day": sum(local_day(presence_calendar(company, rep), each.at) == day for each in before),
    }
    limits = {limit: getattr(rep.capacity, limit) for limit in numbers}
    return all(limits[limit] is None or number < limits[limit] for limit, number in numbers.items())


@given(companies(), seeds)
@settings(max_examples=50)
def test_nobody_gets_a_lead_while_absent_or_over_capacity(company: Configuration, seed: int) -> None:
    """By an oracle that counts over the whole timeline again, for every lead given."""
    timeline = simulate(company, made_up(company, seed), seed=seed).timeline
    for place, each in enumerate(timeline):
        assert can_take(company, each.rep, timeline[:place], each.at), each


@given(companies(limited=True), seeds)
@settings(max_examples=50)
def test_nobody_waits_for_a_rep_who_could_take_the_lead(company: Configuration, seed: int) -> None:
    """At any time, every 13 minutes, whoever waits has had everybody who could take a lead."""
    leads = [
        SimulatedLead(LeadFacts(str(n), each.lead.received_at, {}), each.answered_after, each.declines)
        for n, each in enumerate(made_up(company, seed))
    ]  # all of one team
    timeline = simulate(company, leads, seed=seed).timeline
    first, last = leads[0].lead.received_at, leads[-1].lead.received_at
    for moment in (first + step * timedelta(minutes=13) for step in range((last - first) // timedelta(minutes=13))):
        had: defaultdict[int, list[Given]] = defaultdict(list)
        for each in timeline:
            if each.at <= moment:
                had[each.place].append(each)
        free = {rep.id for rep in company.reps if can_take(company, rep.id, timeline, moment)}
        for place, lead in enumerate(leads):
            waits = lead.lead.received_at <= moment and all(
                each.declined and each.until is not None and each.until <= moment for each in had[place]
            )
            assert not waits or free <= {each.rep for each in had[place]}, (place, moment)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.lists(leaves, max_size=1)), min_size=2, max_size=5),
    st.lists(st.integers(0, 7 * 24 * 60), min_size=1, max_size=60),
)
def test_shares_are_exact(people: Sequence[tuple[int, Any]], minutes: Sequence[int]) -> None:
    """As fractions say that add up, for each lead, the weight of each rep who is here over everybody's."""
    names = {f"r{number}": {"leave": leave} for number, (_, leave) in enumerate(people)}
    weights = {name: weight for name, (weight, _) in zip(names, people, strict=True)}
    company = configuration(names, {"t": {"members": [{"rep": rep, "weight": weights[rep]} for rep in names]}})
    begin = datetime.combine(MONDAY, MONDAY_NOON.time().min, MONDAY_NOON.tzinfo)
    leads = [at(begin + timedelta(minutes=minute), identity=str(place)) for place, minute in enumerate(minutes)]
    report = simulate(company, leads, seed=0)

    share: defaultdict[str, Fraction] = defaultdict(Fraction)
    got: defaultdict[str, int] = defaultdict(int)
    worst: defaultdict[str, Fraction] = defaultdict(Fraction)
    for each in report.timeline:
        people_then = Availability(company, each.at)
        here = [rep for rep in names if people_then.absence(rep) is None]
        got[each.rep] += 1
        for rep in here:
            share[rep] += Fraction(weights[rep], sum(weights[other] for other in here))
        for rep in names:
            worst[rep] = max(worst[rep], abs(got[rep] - share[rep]))
    for told in report.shares:
        assert told.given == got[told.rep]
        assert told.share == pytest.approx(float(share[told.rep]), abs=0.001)
        assert told.worst == pytest.approx(float(worst[told.rep]), abs=0.001)


def test_who_is_always_here_and_gets_leads_by_turns_is_never_off_by_a_whole_lead() -> None:
    """After any of ten thousand leads, whatever the weights."""
    members = [{"rep": f"r{weight}", "weight": weight} for weight in (1, 2, 3, 7, 50)]
    company = configuration({f"r{weight}": {} for weight in (1, 2, 3, 7, 50)}, {"t": {"members": members}})
    report = simulate(company, [at(MONDAY_NOON + n * timedelta(minutes=1)) for n in range(10_000)], seed=0)
    assert report.worst_share < 1
    assert {each.rep: round(each.share) for each in report.shares}["r50"] == round(10_000 * 50 / 63)


def at(moment: datetime, *, identity: str = "somebody", answered_after: timedelta | None = None) -> SimulatedLead:
    return SimulatedLead(LeadFacts(identity, moment, {}), answered_after or timedelta(minutes=1))


def test_a_lead_that_is_held_goes_out_when_somebody_is_back() -> None:
    """By calendar, by an hour that has passed, by an answer; the oldest first, and each at that moment."""
    opening = MONDAY_NOON.replace(day=24, hour=8)
    evening = [at(MONDAY_NOON + timedelta(hours=6 + hour)) for hour in range(2)]
    report = simulate(configuration({"anna": {"calendar": "office"}}, calendars=[OFFICE]), evening, seed=0)
    assert [(each.place, each.at) for each in report.timeline] == [(0, opening), (1, opening)]
    (holds,) = report.holds
    assert (holds.held, holds.waiting, holds.longest) == (2, 0, opening - evening[0].lead.received_at)

    together = [at(MONDAY_NOON + timedelta(minutes=minute)) for minute in (0, 10, 20)]
    hourly = simulate(configuration({"anna": {"capacity": {"per_hour": 2}}}), together, seed=0)
    assert [(each.at - MONDAY_NOON) for each in hourly.timeline] == [
        timedelta(0), timedelta(minutes=10), timedelta(minutes=60)
    ]  # fmt: skip

    daily = simulate(configuration({"anna": {"capacity": {"per_day": 2}}}), together, seed=0)
    assert daily.timeline[-1].at == MONDAY_NOON.replace(day=24, hour=0)

    slow = [at(MONDAY_NOON + timedelta(minutes=minute), answered_after=timedelta(hours=1)) for minute in (0, 1)]
    one_at_a_time = simulate(configuration({"anna": {"capacity": 1}}), slow, seed=0)
    assert [each.at - MONDAY_NOON for each in one_at_a_time.timeline] == [timedelta(0), timedelta(hours=1)]


def test_many_leads_that_wait_for_one_team_do_not_wait_for_another() -> None:
    """Whoever is free gets what they can have, past everybody else's older leads."""
    teams: dict[str, dict[str, Any]] = {"t": {"members": [{"rep": "anna"}]}, "u": {"members": [{"rep": "ben"}]}}
    rules = [{"id": "u", "when": {"source": "ads"}, "team": "u"}]
    company = configuration({"anna": {"available": False}, "ben": {"capacity": 1}}, teams, rules=rules)
    leads = [at(MONDAY_NOON)] * 20 + [
        SimulatedLead(LeadFacts("x", MONDAY_NOON, {"source": "ads"}), timedelta(minutes=5)) for _ in range(3)
    ]
    report = simulate(company, leads, seed=0)
    assert report.waiting == 20
    assert [each.at - MONDAY_NOON for each in report.timeline] == [timedelta(minutes=5 * n) for n in range(3)]


def test_a_decline_gives_the_turn_back_and_the_lead_to_another() -> None:
    """And a lead that everybody has declined waits."""
    lead = SimulatedLead(LeadFacts("x", MONDAY_NOON, {}), timedelta(minutes=3), declines=1)
    company = configuration({"anna": {}, "ben": {}})
    report = simulate(company, [lead], seed=0)
    assert [(each.rep, each.declined) for each in report.timeline] == [("anna", True), ("ben", False)]
    assert (dict(report.by_rep), report.declined, report.first_owners) == ({"ben": 1}, 1, ("anna",))
    assert [(each.rep, each.given, each.share) for each in report.shares] == [("anna", 0, 0.5), ("ben", 1, 0.5)]
    nobody_else = simulate(configuration({"anna": {}}), [lead], seed=0)
    assert (nobody_else.assigned, nobody_else.waiting, nobody_else.windows_missed) == (0, 1, 0)


def test_an_answer_within_the_window_keeps_it() -> None:
    """Counted from the assignment; no answer at all misses it, and the escalation policy frees the rep."""
    leads = [
        at(MONDAY_NOON, answered_after=timedelta(minutes=5)),
        at(MONDAY_NOON + timedelta(hours=1), answered_after=timedelta(minutes=5, seconds=1)),
        SimulatedLead(LeadFacts("x", MONDAY_NOON + timedelta(hours=2), {}), None),
        at(MONDAY_NOON + timedelta(hours=2)),
    ]
    steps = [{"name": "again", "action": "reassign", "at": "200%", "after": "5m"}]
    policies = [{"id": "p", "steps": steps}]
    report = simulate(configuration({"anna": {"capacity": 1}}, escalation_policies=policies), leads, seed=0)
    assert (report.windows_kept, report.windows_missed, dict(report.missed_by_team)) == (2, 2, {"t": 2})
    assert report.timeline[-1].at == MONDAY_NOON + timedelta(hours=2, minutes=15)


def test_a_known_person_stays_with_the_rep_for_as_long_as_is_said() -> None:
    """Then it is somebody's turn."""
    company = configuration({"anna": {}, "ben": {}}, stickiness={"within": "1h"})
    leads = [at(MONDAY_NOON + timedelta(minutes=minute)) for minute in (0, 30, 60, 121)]
    owners = simulate(company, leads, seed=0).first_owners
    assert owners == ("anna", "anna", "anna", "ben")


def same_persons(minute: int, *keys: str, over_after: timedelta | None = None, source: str = "web") -> SimulatedLead:
    facts = LeadFacts("x", MONDAY_NOON + timedelta(minutes=minute), {"source": source})
    return SimulatedLead(facts, timedelta(minutes=1), person_keys=frozenset(keys), over_after=over_after)


def test_who_comes_again_joins_as_same_person_says() -> None:
    """By what any touch told; within its time, until the lead is over, and not by a source that stands alone."""
    people: dict[str, dict[str, Any]] = {"anna": {}, "ben": {}}
    leads = [
        same_persons(0, "mail"),
        same_persons(10, "mail", "phone"),
        same_persons(65, "phone"),
        same_persons(130, "mail", over_after=timedelta(minutes=5)),
        same_persons(140, "mail"),
        same_persons(141, "mail", source="support"),
    ]
    company = configuration(people, same_person={"within": "1h", "except_sources": ["support"]})
    report = simulate(company, leads, seed=0)
    assert report.joined_to == (None, 0, 0, None, None, None)
    assert (report.assigned, report.waiting, report.joined, report.keys_unknown) == (4, 0, 2, 0)
    assert report.first_owners == ("anna", "anna", "anna", "ben", "anna", "ben"), "a touch is its lead's owner's"

    every = simulate(configuration(people), leads, seed=0)
    assert (every.assigned, every.joined_to) == (6, (None,) * 6)
    compared = compare(every, report)
    assert [(each.place, each.before, each.after) for each in compared.joins] == [(1, None, 0), (2, None, 0)]


def joined_by_oracle(leads: Sequence[SimulatedLead], within: timedelta) -> tuple[int | None, ...]:
    """Looks at everybody who came before, for each lead."""
    joined: list[int | None] = []
    for lead in leads:
        now, found = lead.lead.received_at, None
        for root in range(len(joined)):
            members = [leads[each] for each in range(len(joined)) if root in {each, joined[each]}]
            over = leads[root].over_after
            # The newest of those that may be joined is the last one.
            if (
                joined[root] is None
                and any((each.person_keys or set()) & (lead.person_keys or set()) for each in members)
                and (over is None or leads[root].lead.received_at + over > now)
                and max(each.lead.received_at for each in members) >= now - within
                and "support" not in {leads[root].lead.fields["source"], lead.lead.fields["source"]}
            ):
                found = root
        joined.append(found)
    return tuple(joined)


comings = st.builds(
    lambda keys, over, source: (keys, over if over is None else timedelta(minutes=over), source),
    st.sets(st.sampled_from(["a", "b", "c"]), max_size=2),
    st.sampled_from([None, None, 0, 1, 10]),
    st.sampled_from(["web", "web", "web", "support"]),
)


@given(st.lists(st.tuples(st.sampled_from([0, 1, 5, 29, 31]), comings), min_size=3, max_size=12))
@settings(max_examples=300)
def test_over_time_whoever_comes_joins_the_newest_open_lead_of_the_same_person(
    came: Sequence[tuple[int, tuple[set[str], timedelta | None, str]]],
) -> None:
    """As a slow oracle says: so that of two leads that share a key the second is owned only if the first was over."""
    minute, leads = 0, []
    for gap, (keys, over_after, source) in came:
        minute += gap
        leads.append(same_persons(minute, *keys, over_after=over_after, source=source))
    company = configuration({"anna": {}}, same_person={"within": "30m", "except_sources": ["support"]})
    assert simulate(company, leads, seed=0).joined_to == joined_by_oracle(leads, timedelta(minutes=30))


def test_leads_of_whose_person_no_keys_are_known_are_routed_and_counted() -> None:
    """Where they are asked for; who has left neither address nor number is nobody that could come again."""
    leads = [at(MONDAY_NOON), at(MONDAY_NOON), same_persons(1), same_persons(2)]
    report = simulate(configuration({"anna": {}}, same_person={"within": "1h"}), leads, seed=0)
    assert (report.assigned, report.joined, report.keys_unknown) == (4, 0, 2)
    assert simulate(configuration({"anna": {}}), leads, seed=0).keys_unknown == 0


def test_one_rep_more_takes_their_share_from_the_others() -> None:
    """And nobody's team or rule changes."""
    leads = [at(MONDAY_NOON + timedelta(minutes=minute), identity=str(minute)) for minute in range(60)]
    before = simulate(configuration({"anna": {}, "ben": {}}), leads, seed=0)
    after = simulate(configuration({"anna": {}, "ben": {}, "chloe": {}}), leads, seed=0)
    compared = compare(before, after)
    assert [(each.name, each.before, each.after) for each in compared.reps] == [
        ("chloe", 0, 20), ("anna", 30, 20), ("ben", 30, 20)
    ]  # fmt: skip
    assert [each.gain for each in (*compared.teams, *compared.rules)] == [0, 0]
    assert compared.moved >= 20
    later = simulate(configuration({"anna": {"calendar": "office"}}, calendars=[OFFICE]), leads, seed=0)
    assert [each.name for each in compare(before, later).reps if each.gain > 0] == ["anna"]


def test_made_up_leads_fall_under_every_rule_and_come_in_at_work() -> None:
    """Those in working hours outnumber the nights; some come again, some are declined, some never answered."""
    company = configuration({"anna": {"skills": ["s"]}}, TEAMS, rules=RULES, sources=["website", "ads"])
    leads = made_up(company, 1, 3000, days=6)
    assert set(simulate(company, leads, seed=0).by_rule) == {"skilled", "shared", "scored", "fallback"}
    hours = [each.lead.received_at.hour for each in leads]
    assert sum(8 <= hour < 18 for hour in hours) > 2 * sum(hour < 6 for hour in hours)
    assert [each.lead.received_at for each in leads] == sorted(each.lead.received_at for each in leads)
    days = {day: len(list(group)) for day, group in groupby(leads, key=lambda each: each.lead.received_at.date())}
    assert min(days, key=lambda day: days[day]).weekday() == 5
    assert len({each.lead.identity for each in leads}) < 2900
    assert {each.declines for each in leads} == {0, 1}
    assert 20 < sum(each.answered_after is None for each in leads) < 120


@pytest.mark.parametrize(
    ("first_response", "waited", "declines", "reassignments", "answered_after"),
    [
        (90.0, 30.0, 0, 0, timedelta(seconds=60)),
        (90.0, 30.0, 1, 1, timedelta(seconds=20)),
        (1.0, 2.0, 0, 0, timedelta()),
        (None, 2.0, 1, 0, None),
        (5.0, None, 0, 0, timedelta(seconds=5)),
    ],
)
def test_past_leads_are_answered_as_they_were(
    first_response: float | None,
    waited: float | None,
    declines: int,
    reassignments: int,
    answered_after: timedelta | None,
) -> None:
    """From the assignment on, and evenly shared by those who had it."""
    past = PastLead(
        lead_id=uuid4(),
        received_at=MONDAY_NOON,
        identity="x",
        fields={"source": "website"},
        rule="r",
        team="t",
        rep="anna",
        configuration=1,
        assigned_at=None if waited is None else MONDAY_NOON + timedelta(seconds=waited),
        first_response_seconds=first_response,
        in_hand_seconds=None,
        declines=declines,
        reassignments=reassignments,
    )
    assert of_the_past(past) == SimulatedLead(past.facts, answered_after, declines, name=str(past.lead_id))
