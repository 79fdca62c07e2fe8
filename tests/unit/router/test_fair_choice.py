"""Promises of the fair choice, checked against exact fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from relance_router.domain.fair_choice import UNIT, Place, Turns, earliest_turn

weights = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 50), min_size=1, max_size=8)


def shares_after(weights: dict[str, int], leads: int) -> dict[str, Fraction]:
    total = sum(weights.values())
    return {rep: Fraction(leads * weight, total) for rep, weight in weights.items()}


def take(turns: Turns, present: dict[str, int], *, barred: frozenset[str] = frozenset()) -> str:
    turns.observe(present, {})
    rep = turns.take(barred=barred)
    assert rep is not None
    return rep


@given(weights, st.integers(1, 400))
def test_after_any_number_of_leads_nobody_is_a_whole_lead_from_their_share(weights: dict[str, int], leads: int) -> None:
    """Invariant 4, at every single lead, against shares computed as fractions."""
    turns = Turns()
    given_to = dict.fromkeys(weights, 0)
    for count in range(1, leads + 1):
        given_to[take(turns, weights)] += 1
        for rep, share in shares_after(weights, count).items():
            assert abs(given_to[rep] - share) < 1


def slow_choice(weights: dict[str, int], given_to: dict[str, int], leads_before: int) -> set[str]:
    """Proportionate fairness by its definition: of the turns that may begin, those with the earliest end."""
    total = sum(weights.values())
    may_begin = {
        rep for rep, weight in weights.items() if Fraction(given_to[rep], weight) < Fraction(leads_before + 1, total)
    }
    ends = {rep: Fraction(given_to[rep] + 1, weights[rep]) for rep in may_begin}
    return {rep for rep, end in ends.items() if end == min(ends.values())}


@given(weights, st.integers(1, 200))
def test_the_choice_is_the_one_that_exact_fractions_give(weights: dict[str, int], leads: int) -> None:
    """Rounding to integers changes no choice."""
    turns = Turns()
    given_to = dict.fromkeys(weights, 0)
    for count in range(leads):
        chosen = take(turns, weights)
        assert chosen in slow_choice(weights, given_to, count)
        given_to[chosen] += 1


@given(weights.filter(lambda weights: len(weights) > 1), st.integers(1, 60), st.integers(1, 200), st.integers(1, 60))
def test_a_rep_back_from_leave_is_not_flooded(weights: dict[str, int], before: int, away: int, after: int) -> None:
    """Whatever was missed, after the return nobody is more than two leads from the share of what came since."""
    turns = Turns()
    absent = min(weights)
    others = {rep: weight for rep, weight in weights.items() if rep != absent}
    for _ in range(before):
        take(turns, weights)
    for _ in range(away):
        take(turns, others)
    since = dict.fromkeys(weights, 0)
    for count in range(1, after + 1):
        since[take(turns, weights)] += 1
        assert abs(since[absent] - shares_after(weights, count)[absent]) < 2


@given(weights.filter(lambda weights: len(weights) > 1), st.lists(st.booleans(), min_size=1, max_size=150))
def test_a_declined_lead_gives_its_turn_back(weights: dict[str, int], declines: list[bool]) -> None:
    """Declined leads do not count as given: who declines is still owed their share, and gets it."""
    turns = Turns()
    kept = dict.fromkeys(weights, 0)
    for declined in declines:
        rep = take(turns, weights)
        if declined:
            turns.give_back(rep, weights[rep])
            rep = take(turns, weights, barred=frozenset([rep]))
        kept[rep] += 1
    owed = shares_after(weights, len(declines))
    assert sum(kept.values()) == len(declines)
    if not any(declines):
        assert all(abs(kept[rep] - owed[rep]) < 1 for rep in weights)
    # From here on nobody declines: all that declines have shifted is made good.
    for _ in range(20 * sum(weights.values()) + 20 * len(declines)):
        kept[take(turns, weights)] += 1
    final = shares_after(weights, sum(kept.values()))
    assert all(abs(kept[rep] - final[rep]) < 1 for rep in weights)


@given(weights, st.lists(st.booleans(), min_size=1, max_size=150))
def test_a_lead_that_leaves_the_team_by_a_decline_leaves_no_trace_in_its_shares(
    weights: dict[str, int], declines: list[bool]
) -> None:
    """It stands unrouted, or another team has it: the next lead finds the line as it was, whoever declined."""
    turns = Turns()
    kept = dict.fromkeys(weights, 0)
    for declined in declines:
        rep = take(turns, weights)
        if declined:
            turns.give_back(rep, weights[rep])
            turns = Turns(turns.virtual_time, turns.places, returned=turns.returned)
        else:
            kept[rep] += 1
        owed = shares_after(weights, sum(kept.values()))
        assert all(abs(kept[rep] - owed[rep]) < 1 for rep in weights)


def test_two_of_weight_two_and_one_take_turns_as_one_would_by_hand() -> None:
    """Anna has twice Ben's weight."""
    turns = Turns()
    assert [take(turns, {"anna": 2, "ben": 1}) for _ in range(6)] == ["anna", "ben", "anna"] * 2


def test_nobody_left_is_none_and_moves_nothing() -> None:
    """A lead that everybody has had costs nobody a turn."""
    turns = Turns()
    turns.observe({"anna": 1}, {})
    assert turns.take(barred=["anna"]) is None
    assert turns.take(among=[]) is None
    assert turns.virtual_time == 0
    assert turns.places == {"anna": Place(0)}


def test_a_newcomer_starts_at_the_present() -> None:
    """Who joins a team after a thousand leads is not owed a thousand."""
    turns = Turns(virtual_time=1000 * UNIT, places={"anna": Place(1000 * UNIT)})
    assert [take(turns, {"anna": 1, "ben": 1}) for _ in range(4)].count("ben") == 2


def test_a_place_in_line_survives_being_stored() -> None:
    """Stored and loaded after every lead, the line gives the same order."""
    straight, stored = Turns(), Turns()
    team = {"anna": 3, "ben": 2, "chloe": 2}
    for _ in range(50):
        stored = Turns(stored.virtual_time, stored.places)
        assert take(straight, team) == take(stored, team)


@pytest.mark.parametrize("leads", [100_000])
def test_a_hundred_thousand_leads_stay_fair(leads: int) -> None:
    """Errors of rounding do not add up."""
    team = {"a": 1, "b": 3, "c": 7, "d": 9973}
    turns = Turns()
    given_to = dict.fromkeys(team, 0)
    turns.observe(team, {})
    for _ in range(leads):
        rep = turns.take()
        assert rep
        given_to[rep] += 1
    assert all(abs(given_to[rep] - share) < 1 for rep, share in shares_after(team, leads).items())


def test_somebody_back_with_another_weight_is_measured_by_that() -> None:
    """Also when they stand where they stood: what was their due before is forgotten. Hypothesis found this one."""
    turns = Turns()
    turns.arrive("b", 1)
    turns.arrive("a", 2)
    assert turns.take() == "a"
    turns.give_back("a", 2)
    turns.leave("a", "away")
    turns.arrive("c", 2)
    turns.take(barred=["a"])
    turns.arrive("a", 1)
    starts = {rep: place.start for rep, place in turns.places.items()}
    time = turns.virtual_time + UNIT // 4
    assert turns.take() == earliest_turn(time, {"a": 1, "b": 1, "c": 2}, starts) == "c"


class Line(RuleBasedStateMachine):
    """One line under everything that can happen to it, beside the rule in three lines over plain numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns()
        self.present: dict[str, int] = {}
        self.given: list[str] = []

    @rule(rep=st.sampled_from("abcdefgh"), weight=st.integers(1, 9))
    def arrive(self, rep: str, weight: int) -> None:
        if rep not in self.present:
            self.turns.arrive(rep, weight)
            self.present[rep] = weight

    @rule(rep=st.sampled_from("abcdefgh"))
    def leave(self, rep: str) -> None:
        if self.present.pop(rep, None):
            self.turns.leave(rep, "away")

    def away(self) -> dict[str, str]:
        return dict.fromkeys(self.turns.places.keys() - self.present.keys(), "away")

    @rule()
    def observe_again(self) -> None:
        self.turns.observe(self.present, self.away())

    @rule()
    def store_and_load(self) -> None:
        self.turns = Turns(
            self.turns.virtual_time,
            self.turns.places,
            changes_before=self.turns.last_change,
            returned=self.turns.returned,
        )
        self.turns.observe(self.present, self.away())
        assert self.turns.changes == [], "nothing has changed"

    @rule(
        barred=st.sets(st.sampled_from("abcdefgh"), max_size=3),
        among=st.none() | st.sets(st.sampled_from("abcdefgh")),
    )
    def take(self, barred: set[str], among: set[str] | None) -> None:
        free = {rep: weight for rep, weight in self.present.items() if rep not in barred}
        free = {rep: weight for rep, weight in free.items() if among is None or rep in among}
        starts = {rep: place.start for rep, place in self.turns.places.items()}
        time, returned = self.turns.virtual_time, self.turns.returned
        chosen = self.turns.take(barred=barred, among=among)
        if not free:
            assert chosen is None
            assert self.turns.virtual_time == time
            return
        if not returned:
            time += UNIT // sum(self.present.values())
        assert self.turns.virtual_time == time
        assert chosen == earliest_turn(time, free, starts)
        self.given.append(chosen)

    @precondition(lambda self: self.given)
    @rule()
    def give_back(self) -> None:
        rep = self.given.pop()
        if rep in self.present:
            self.turns.give_back(rep, self.present[rep])

    @rule(rep=st.sampled_from("abcdefgh"))
    def charge(self, rep: str) -> None:
        if rep in self.present:
            before = self.turns.places[rep].start
            self.turns.charge(rep)
            assert self.turns.places[rep].start == before + UNIT // self.present[rep]

    @invariant()
    def changes_tell_every_place(self) -> None:
        """Played back, the changes give the places: so any earlier moment can be seen again."""
        played: dict[str, Place] = {}
        for change in self.turns.changes:
            played[change.rep] = change.place
        assert all(self.turns.places[rep] == place for rep, place in played.items())
        numbers = [change.number for change in self.turns.changes]
        assert numbers == list(range(self.turns.last_change - len(numbers) + 1, self.turns.last_change + 1))


TestLine = Line.TestCase
