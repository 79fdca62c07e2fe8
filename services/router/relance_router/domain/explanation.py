"""Why a lead went where it went: the decision made again from what was stored, told in words and in data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from relance_router.domain import rules
from relance_router.domain.availability import Availability, Load
from relance_router.domain.configuration import Configuration, Promise, in_words
from relance_router.domain.fair_choice import UNIT, Place, Turns
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.owners import KnownOwner
from relance_router.domain.requirements import lacks, wanted
from relance_router.domain.routing import Assigned, By, Hand, Held, HeldBecause, Offered, Question, RoutingState, decide
from relance_router.domain.rules import Match

ASKED = "was asked"
NOT_THEIR_TURN = "it was not their turn"


@dataclass(frozen=True)
class Recorded:
    """One decision as it was stored. `places` are those of each team's line, just before the decision."""

    lead: LeadFacts
    configuration: Configuration
    version: int
    moment: datetime
    record: Mapping[str, Any]
    places: Mapping[str, Mapping[str, Place]]


@dataclass(frozen=True)
class Candidate:
    """One rep looked at in one team: chosen, or passed over with the reason.

    `owed` is how many leads the rep was short of their share (less than nothing: ahead of it); None for who was away.
    """

    team: str
    rep: str
    weight: int
    chosen: bool
    reason: str
    owed: float | None


@dataclass(frozen=True)
class Explanation:
    """The whole decision. `same` says whether making it again gave the stored answer."""

    words: tuple[str, ...]
    rule: str
    rules_tried: tuple[rules.RuleTried, ...]
    candidates: tuple[Candidate, ...]
    outcome: Assigned | Offered | Held
    same: bool


@dataclass
class RecordedPeople:
    """What was known of people when the decision was made."""

    absences: Mapping[str, str | None]
    loads: Mapping[str, int]
    calendars: Availability

    def absence(self, rep: str) -> str | None:
        """As it was recorded; asked of known owners only, the others' absences stand in the lines."""
        return self.absences.get(rep)

    def load(self, rep: str) -> Load:
        """As it was recorded."""
        return Load(self.loads.get(rep, 0))

    def back(self, rep: str) -> datetime | None:
        """As the calendars of then say."""
        return self.calendars.back(rep)

    def given(self, rep: str) -> None:
        """One decision is made; what follows from it does not matter."""

    def ended(self, rep: str) -> None:
        """One decision is made; what follows from it does not matter."""


def explain(stored: Recorded) -> Explanation:
    """Make the decision again, and say how it came about."""
    found = rules.match(stored.configuration, stored.lead)
    question = _question(stored, found)
    outcome = decide(question, stored.configuration, _state(stored), stored.moment).outcome
    candidates = tuple(_candidates(stored, question, outcome))
    return Explanation(
        words=tuple(_words(stored, found, question, outcome, candidates)),
        rule=found.rule,
        rules_tried=tuple(found.tried),
        candidates=candidates,
        outcome=outcome,
        same=_same(outcome, stored.record),
    )


def _question(stored: Recorded, found: Match) -> Question:
    record = stored.record
    return Question(
        stored.lead,
        found,
        had_it=frozenset(record["had_it"]),
        known=tuple(KnownOwner(each["rep"], each["because"]) for each in record["known"]),
        unclaimed=record["unclaimed"],
        declined=frozenset(record["declined"]),
        hand=Hand(**hand) if (hand := record.get("hand")) else None,
    )


def _state(stored: Recorded) -> RoutingState:
    record = stored.record
    people = RecordedPeople(
        absences={each["rep"]: each["absence"] for each in record["known"]},
        loads={rep: load for loads in record["loads"].values() for rep, load in loads.items()},
        calendars=Availability(stored.configuration, stored.moment),
    )
    turns = {}
    for team, line in record["lines"].items():
        places = stored.places[team]
        turns[team] = Turns(int(line["virtual_time"]), places, changes_before=line["change"], returned=line["returned"])
        turns[team].observe(
            {rep: stored.configuration.weight(team, rep) for rep, place in places.items() if place.away_since is None},
            {rep: place.away_because or "away" for rep, place in places.items() if place.away_since is not None},
        )
    return RoutingState(people, turns)


def _same(outcome: Assigned | Offered | Held, record: Mapping[str, Any]) -> bool:
    match outcome, record["chosen"]:
        case Assigned(rep=rep, team=team), {"rep": stored_rep, "team": stored_team}:
            return (rep, team) == (stored_rep, stored_team)
        case Offered(reps=reps), {"rep": stored_rep, "by": By.CLAIM.value}:
            return stored_rep in reps
        case ((Offered(because=because) | Held(because=because)), None):
            return HeldBecause(record["stands"]) is because
    return False


def _candidates(stored: Recorded, question: Question, outcome: Assigned | Offered | Held) -> Iterator[Candidate]:
    if isinstance(outcome, Assigned) and outcome.by is By.MANAGER:
        return
    configuration = stored.configuration
    want = wanted(configuration, question.found.promise, stored.lead)
    taken_by_owner = isinstance(outcome, Assigned) and outcome.by is By.OWNER
    for team in configuration.teams_after(question.found.promise.team):
        virtual_time = int(stored.record["lines"][team]["virtual_time"])
        loads = stored.record["loads"].get(team, {})
        for member in configuration.teams_by_id[team].members:
            place = stored.places[team].get(member.rep)
            away = place is not None and place.away_since is not None
            chosen = isinstance(outcome, Assigned) and (outcome.rep, outcome.team) == (member.rep, team)
            offered = isinstance(outcome, Offered) and member.rep in outcome.reps
            reason = (
                (outcome.why if isinstance(outcome, Assigned) and chosen else None)
                or (place.away_because if place and away else None)
                or ("had this lead before" if member.rep in question.had_it else None)
                or lacks(configuration.reps_by_id[member.rep], want)
                or (ASKED if offered else None)
                or ("declined the offer" if member.rep in question.declined else None)
                or ("the lead has an owner" if taken_by_owner else None)
                or (_load_in_words(loads[member.rep], member.weight) if member.rep in loads else NOT_THEIR_TURN)
            )
            owed = None if place is None or away else (virtual_time - place.start) * member.weight / UNIT
            yield Candidate(team, member.rep, member.weight, chosen, reason, None if owed is None else round(owed, 3))
        if isinstance(outcome, Assigned | Offered) and outcome.team == team:
            return


def _words(
    stored: Recorded,
    found: Match,
    question: Question,
    outcome: Assigned | Offered | Held,
    candidates: tuple[Candidate, ...],
) -> Iterator[str]:
    source = stored.lead.fields.get("source", "somewhere")
    yield (
        f"The lead came from {source} at {stored.lead.received_at:%Y-%m-%d %H:%M:%S} UTC; this was decided at "
        f"{stored.moment:%Y-%m-%d %H:%M:%S} UTC by configuration {stored.version}."
    )
    same_person = stored.configuration.same_person
    if same_person and same_person.stands_alone(source):
        yield f"Leads of source {source} join no other of the same person, and none joins them."
    yield from _rules_in_words(found)
    yield _promise_in_words(found.promise)
    if question.hand and question.hand.to is None:
        yield f"{question.hand.by} had it given to somebody else: {question.hand.because}."
    for owner in stored.record["known"]:
        verdict = owner["absence"] or ("had this lead before" if owner["rep"] in question.had_it else "available")
        yield f"{owner['rep']} {_is(owner['because'])}: {verdict}."
    for each in candidates:
        if not each.chosen and each.reason not in {ASKED, NOT_THEIR_TURN}:
            yield f"{each.rep} (team {each.team}) was passed over: {each.reason}."
    waiting = [each for each in candidates if each.reason == NOT_THEIR_TURN]
    if waiting and isinstance(outcome, Assigned) and outcome.by is By.TURN:
        others = ", ".join(f"{each.rep} {_owed(each)}" for each in waiting)
        (chosen,) = (each for each in candidates if each.chosen)
        yield f"It was {chosen.rep}'s turn ({_owed(chosen)}) before: {others}."
    yield _outcome_in_words(outcome)
    if isinstance(outcome, Offered) and stored.record["chosen"]:
        yield f"{stored.record['chosen']['rep']} was the first to claim it."


def _rules_in_words(found: Match) -> Iterator[str]:
    for tried in found.tried:
        if tried.failed is not None:
            yield f"Rule {tried.rule} did not fit: {tried.failed}."
    arm = "" if found.arm is None else f", arm {found.arm + 1} of its split"
    yield f"Rule {found.rule} fits{arm}." if found.rule != rules.FALLBACK else "No rule fits, so the fallback decides."


def _promise_in_words(promise: Promise) -> str:
    return f"It promises an answer by team {promise.team} within {in_words(promise.respond_within)}."


def _load_in_words(leads: int, weight: int) -> str:
    return f"has {leads} open leads for a weight of {weight}"


def _is(because: str) -> str:
    return f"is {because}" if because.startswith("the ") else because


def _owed(candidate: Candidate) -> str:
    owed = candidate.owed or 0.0
    return f"owed {owed:.2f} of a lead" if owed >= 0 else f"ahead by {-owed:.2f} of a lead"


def _outcome_in_words(outcome: Assigned | Offered | Held) -> str:
    match outcome:
        case Assigned(rep=rep, team=team, why=why):
            return f"The lead went to {rep} of team {team}: {why}."
        case Offered(reps=reps, until=until):
            return f"The lead was offered to {', '.join(reps)} until {until:%Y-%m-%d %H:%M:%S} UTC."
        case Held(because=because, until=until):
            back = f" until {until:%Y-%m-%d %H:%M:%S} UTC" if until else ", until that changes"
            return f"The lead waits{back}: {HELD_IN_WORDS[because]}."


HELD_IN_WORDS = {
    HeldBecause.NOBODY_AVAILABLE: "nobody who fits is available",
    HeldBecause.NOBODY_FITS: "nobody has what it asks for",
    HeldBecause.EVERYBODY_HAD_IT: "everybody available had it before",
    HeldBecause.OFFERED: "it is offered",
}
