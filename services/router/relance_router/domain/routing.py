"""The decision: a lead, the configuration and the state of the teams in; a rep, or why nobody yet, out.

First comes whom a manager names, then known owners, then the rule's team and the teams that it overflows to. In a team
a lead goes by turns, to who has the fewest open leads, or to the first who claims it. What is decided can be decided
again, to the same answer, from the record that comes with it, the configuration and the changes of the teams' lines
(`explanation.py` does so).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from relance_router.domain.availability import Load
from relance_router.domain.configuration import Configuration, Team
from relance_router.domain.fair_choice import Turns
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.owners import KnownOwner
from relance_router.domain.requirements import Wanted, lacks, wanted
from relance_router.domain.rules import Match


class HeldBecause(StrEnum):
    """Why a lead has no owner yet."""

    NOBODY_AVAILABLE = "nobody_available"
    NOBODY_FITS = "nobody_fits"
    EVERYBODY_HAD_IT = "everybody_available_had_it"
    OFFERED = "offered"


class By(StrEnum):
    """What made the choice."""

    OWNER = "owner"
    TURN = "turn"
    LOAD = "load"
    CLAIM = "claim"
    MANAGER = "manager"


class People(Protocol):
    """Who can take a lead, and how many they have."""

    def absence(self, rep: str) -> str | None:
        """Why a rep takes no lead; None for who does."""

    def load(self, rep: str) -> Load:
        """The leads that a rep has."""

    def back(self, rep: str) -> datetime | None:
        """When a rep who is away by calendar or leave is back; None for who is not away, or will not be back."""

    def given(self, rep: str) -> None:
        """The rep has one lead more."""

    def ended(self, rep: str) -> None:
        """The rep has one lead less in hand."""


@dataclass
class RoutingState:
    """What decisions depend on and change: each team's line, and what everybody has in hand."""

    people: People
    turns: dict[str, Turns] = field(default_factory=dict)
    _fitting: dict[tuple[str, Wanted], list[str] | None] = field(default_factory=dict)

    def fitting(self, configuration: Configuration, team: Team, want: Wanted) -> list[str] | None:
        """The members who have what is wanted, looked for once; None when nothing is, which is everybody."""
        if (team.id, want) not in self._fitting:
            self._fitting[team.id, want] = fitting(configuration, team, want)
        return self._fitting[team.id, want]

    def observe(self, configuration: Configuration, team: str) -> None:
        """Note who of a team is here, before the first decision."""
        absences = {member.rep: self.people.absence(member.rep) for member in configuration.teams_by_id[team].members}
        present = {
            member.rep: member.weight
            for member in configuration.teams_by_id[team].members
            if absences[member.rep] is None
        }
        self.turns[team].observe(present, {rep: why for rep, why in absences.items() if why is not None})

    def given(self, configuration: Configuration, rep: str) -> None:
        """A rep has one lead more: who is full now leaves the lines."""
        self.people.given(rep)
        because = self.people.absence(rep)
        for turns in self._lines_of(configuration, rep):
            if because is not None and rep in turns.present:
                turns.leave(rep, because)

    def ended(self, configuration: Configuration, rep: str) -> None:
        """A rep has one lead less: who has room again is back in the lines."""
        self.people.ended(rep)
        self.look_at(configuration, rep)

    def look_at(self, configuration: Configuration, rep: str) -> None:
        """Note that a rep who was away may be here."""
        if self.people.absence(rep) is None:
            for team in configuration.teams_of.get(rep, ()):
                if team in self.turns and rep not in self.turns[team].present:
                    self.turns[team].arrive(rep, configuration.weight(team, rep))

    def _lines_of(self, configuration: Configuration, rep: str) -> list[Turns]:
        return [self.turns[team] for team in configuration.teams_of.get(rep, ()) if team in self.turns]


@dataclass(frozen=True)
class Hand:
    """A manager takes the lead from who has it, and may say who gets it."""

    by: str
    because: str
    to: str | None = None
    """The rep who gets it, whatever else; None: whoever is next."""
    team: str | None = None
    """The team that has the lead now; None: nobody has it."""


@dataclass(frozen=True)
class Question:
    """One lead that needs an owner."""

    lead: LeadFacts
    found: Match
    had_it: frozenset[str] = frozenset()
    """Reps who owned it before, and do not get it again."""
    known: tuple[KnownOwner, ...] = ()
    unclaimed: bool = False
    """It was offered, and nobody claimed it in time."""
    declined: frozenset[str] = frozenset()
    """Reps who declined an offer of it, and get it only when all others did or cannot."""
    hand: Hand | None = None


@dataclass(frozen=True)
class Assigned:
    """The lead goes to `rep`. `weight` is that of the turn it took, 0 when it took none."""

    rep: str
    team: str
    weight: int
    by: By
    why: str


@dataclass(frozen=True)
class Offered:
    """Everybody in `reps` may claim the lead until `until`."""

    reps: tuple[str, ...]
    team: str
    until: datetime

    @property
    def because(self) -> HeldBecause:
        """Why the lead has no owner yet."""
        return HeldBecause.OFFERED


@dataclass(frozen=True)
class Held:
    """Nobody can have the lead. `until` is when somebody who may have it is known to be back."""

    because: HeldBecause
    until: datetime | None


@dataclass(frozen=True)
class Decision:
    """What was decided, and the inputs that are kept nowhere else, as plain data."""

    outcome: Assigned | Offered | Held
    record: Mapping[str, Any]


def decide(question: Question, configuration: Configuration, state: RoutingState, moment: datetime) -> Decision:
    """Choose a rep for one lead, and change `state` by the choice. `moment` is aware, in UTC."""
    deciding = _Deciding(question, configuration, state, moment)
    outcome = deciding.outcome()
    if isinstance(outcome, Assigned):
        state.given(configuration, outcome.rep)
    return Decision(outcome, deciding.record)


def fitting(configuration: Configuration, team: Team, want: Wanted) -> list[str] | None:
    """The members who have what is wanted; None when nothing is, which is everybody."""
    if want.nothing:
        return None
    members = (configuration.reps_by_id[member.rep] for member in team.members)
    return [rep.id for rep in members if lacks(rep, want) is None]


class _Deciding:
    """One decision on its way."""

    def __init__(self, question: Question, configuration: Configuration, state: RoutingState, moment: datetime) -> None:
        self._question = question
        self._configuration = configuration
        self._state = state
        self._moment = moment
        self._promise = question.found.promise
        self._teams = [configuration.teams_by_id[team] for team in configuration.teams_after(self._promise.team)]
        self._want = wanted(configuration, self._promise, question.lead)
        self.record = self._inputs()

    def outcome(self) -> Assigned | Offered | Held:
        """Whom a manager names, then owners, then the teams in order."""
        return (
            self._by_hand()
            or (self._known_owner() if self._promise.sticky else None)
            or next((found for team in self._teams if (found := self._in_team(team))), None)
            or self._held()
        )

    def _by_hand(self) -> Assigned | None:
        hand = self._question.hand
        if hand is None:
            return None
        self.record["hand"] = asdict(hand)
        if hand.to is None:
            return None
        teams = self._configuration.teams_of[hand.to]
        usual = hand.team or self._promise.team
        first = next((team.id for team in self._configuration.teams if team.id in teams), self._promise.team)
        why = f"{hand.by} gave it to you: {hand.because}"
        return Assigned(hand.to, usual if usual in teams else first, 0, By.MANAGER, why)

    def _known_owner(self) -> Assigned | None:
        for owner in self._question.known:
            absence = self._state.people.absence(owner.rep)
            self.record["known"].append({"rep": owner.rep, "because": owner.because, "absence": absence})
            if absence is None and owner.rep not in self._question.had_it:
                team = self._promise.team
                weight = self._state.turns[team].present.get(owner.rep, 0)
                if weight:
                    self._state.turns[team].charge(owner.rep)
                return Assigned(owner.rep, team, weight, By.OWNER, owner.because)
        return None

    def _in_team(self, team: Team) -> Assigned | Offered | None:
        if team.choose == "fair" or (team.choose == "broadcast" and self._question.unclaimed):
            return self._by_turn(team)
        candidates = self._candidates(team)
        if not candidates:
            return None
        if team.choose == "least_loaded":
            return self._by_load(team, candidates)
        if len(candidates) == 1:
            return self._by_turn(team)
        return Offered(tuple(sorted(candidates)), team.id, self._moment + team.claim_within)

    def _by_turn(self, team: Team) -> Assigned | None:
        turns = self._state.turns[team.id]
        had_it, declined = self._question.had_it, self._question.declined
        among = self._state.fitting(self._configuration, team, self._want)
        rep = turns.take(barred=had_it | declined, among=among)
        if rep is None and declined:
            rep = turns.take(barred=had_it, among=among)
        if rep is None:
            return None
        unclaimed = ", as nobody claimed it" if self._question.unclaimed else ""
        return Assigned(rep, team.id, turns.present[rep], By.TURN, f"your turn in team {team.id}{unclaimed}")

    def _by_load(self, team: Team, candidates: Sequence[str]) -> Assigned:
        turns = self._state.turns[team.id]
        loads = {rep: self._state.people.load(rep).open for rep in candidates}
        self.record["loads"][team.id] = loads
        rep = min(candidates, key=lambda each: (loads[each] / turns.present[each], turns.places[each].start, each))
        turns.charge(rep)
        return Assigned(rep, team.id, turns.present[rep], By.LOAD, f"fewest open leads in team {team.id}")

    def _candidates(self, team: Team) -> list[str]:
        present = self._state.turns[team.id].present
        among = self._state.fitting(self._configuration, team, self._want)
        chosen = present if among is None else among
        return [rep for rep in chosen if rep in present and rep not in self._question.had_it]

    def _held(self) -> Held:
        fit = {team.id: self._fitting_members(team) for team in self._teams}
        if not any(fit.values()):
            return Held(HeldBecause.NOBODY_FITS, None)
        somebody_is_here = not all(
            self._state.turns[team].present.keys().isdisjoint(reps) for team, reps in fit.items()
        )
        may_have_it = {rep for reps in fit.values() for rep in reps} - self._question.had_it
        backs = (self._state.people.back(rep) for rep in may_have_it)
        return Held(
            HeldBecause.EVERYBODY_HAD_IT if somebody_is_here else HeldBecause.NOBODY_AVAILABLE,
            min((back for back in backs if back), default=None),
        )

    def _fitting_members(self, team: Team) -> Sequence[str]:
        among = self._state.fitting(self._configuration, team, self._want)
        return [member.rep for member in team.members] if among is None else among

    def _inputs(self) -> dict[str, Any]:
        turns = self._state.turns
        return {
            "had_it": sorted(self._question.had_it),
            "known": [],
            "unclaimed": self._question.unclaimed,
            "declined": sorted(self._question.declined),
            # Virtual times are beyond what a JSON reader keeps exactly as a number.
            "lines": {
                team.id: {
                    "change": turns[team.id].last_change,
                    "virtual_time": str(turns[team.id].virtual_time),
                    "returned": turns[team.id].returned,
                }
                for team in self._teams
            },
            "loads": {},
        }
