"""One rehearsal: leads in order of their times, decided one by one, with what follows from each at its own time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from uuid import UUID

from relance.ids import LeadId
from relance_router.domain import rules
from relance_router.domain.configuration import Configuration, Promise
from relance_router.domain.fair_choice import Turns
from relance_router.domain.owners import known_owners
from relance_router.domain.requirements import Wanted, wanted
from relance_router.domain.routing import Assigned, By, Held, Offered, Question, RoutingState, decide
from relance_router.domain.rules import Match
from relance_router.domain.same_person import Conversations
from relance_router.domain.simulation.books import Books
from relance_router.domain.simulation.leads import SimulatedLead
from relance_router.domain.simulation.memory import OwnersRemembered
from relance_router.domain.simulation.presence import PeopleInRehearsal, presence_changes_after
from relance_router.domain.simulation.report import Given, Report
from relance_router.domain.simulation.waiting import Waiting

REPORT_EVERY = 1000
"""Leads between two words about the progress."""
AFTERWARDS = timedelta(days=14)
"""How long after the last lead what is under way may still happen."""


def simulate(
    configuration: Configuration,
    leads: Sequence[SimulatedLead],
    *,
    seed: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Rehearse; `progress` hears how many leads are done.

    The `seed` says who claims each offered lead, whatever was offered before. Same leads, same seed, same report.
    """
    in_order = sorted(range(len(leads)), key=lambda place: (leads[place].lead.received_at, place))
    if not in_order:
        return Books(configuration, leads).report({})
    first, last = (leads[in_order[end]].lead.received_at for end in (0, -1))
    rehearsal = _Rehearsal(configuration, leads, seed, first)
    for done, place in enumerate(in_order):
        rehearsal.until(leads[place].lead.received_at)
        rehearsal.received(place)
        if done % REPORT_EVERY == 0:
            progress(done)
    rehearsal.until(last + AFTERWARDS)
    progress(len(leads))
    return rehearsal.report()


@dataclass
class _Case:
    """One lead on its way."""

    place: int
    found: Match
    had_it: set[str] = field(default_factory=set)
    waits_since: datetime | None = None


class _Rehearsal:
    def __init__(
        self, configuration: Configuration, leads: Sequence[SimulatedLead], seed: int, begin: datetime
    ) -> None:
        self._configuration = configuration
        self._leads = leads
        self._seed = seed
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._waiting = Waiting[_Case]()
        self._books = Books(configuration, leads)
        self._owners = OwnersRemembered(configuration)
        self._conversations = Conversations(configuration.same_person) if configuration.same_person else None
        self._people = PeopleInRehearsal(configuration, begin)
        self._state = RoutingState(self._people, {team.id: Turns() for team in configuration.teams})
        self._able: dict[tuple[str, Wanted], frozenset[str]] = {}
        self._presence_changes()

    def until(self, moment: datetime) -> None:
        """Let everything happen that happens up to `moment`."""
        while self._agenda and self._agenda[0][0] <= moment:
            self._people.now, _, happen = heappop(self._agenda)
            happen()
        self._people.now = moment

    def received(self, place: int) -> None:
        """A lead comes in."""
        if self._conversations and self._joined(place, self._conversations):
            return
        found = rules.match(self._configuration, self._leads[place].lead)
        self._books.received(place, found)
        self._route(_Case(place, found))

    def _joined(self, place: int, conversations: Conversations) -> bool:
        came = self._leads[place]
        if came.person_keys is None:
            self._books.keys_unknown += 1
            return False
        name = LeadId(UUID(int=place))
        other = conversations.receive(name, came.lead.fields.get("source", ""), came.person_keys, self._people.now)
        if other:
            self._books.joined(place, other.lead.int)
        elif came.over_after is not None:
            self._at(self._people.now + came.over_after, partial(conversations.close, name))
        return other is not None

    def report(self) -> Report:
        """What came of it."""
        return self._books.report(self._state.turns)

    def _route(self, case: _Case) -> str | None:
        """Decide for one lead; returns who has it."""
        lead = self._leads[case.place].lead
        question = Question(
            lead,
            case.found,
            had_it=frozenset(case.had_it),
            known=known_owners(self._configuration, lead, self._owners.last(lead, self._people.now)),
        )
        decision = decide(question, self._configuration, self._state, self._people.now)
        outcome = decision.outcome
        if isinstance(outcome, Held):
            self._hold(case, question)
            return None
        assigned = self._claimed(case, outcome) if isinstance(outcome, Offered) else outcome
        if assigned.weight:
            time_before = int(decision.record["lines"][assigned.team]["virtual_time"])
            self._books.turn_taken(assigned, self._state.turns[assigned.team], time_before)
        self._assigned(case, assigned)
        return assigned.rep

    def _claimed(self, case: _Case, offered: Offered) -> Assigned:
        self._books.offered += 1
        rep = Random(f"{self._seed}:{case.place}").choice(offered.reps)  # noqa: S311 - nothing secret
        self._state.turns[offered.team].charge(rep)
        self._state.given(self._configuration, rep)
        weight = self._configuration.weight(offered.team, rep)
        return Assigned(rep, offered.team, weight, By.CLAIM, "claimed it first")

    def _hold(self, case: _Case, question: Question) -> None:
        if case.waits_since is None:
            case.waits_since = self._people.now
            self._books.waits(case.found.promise.team)
        self._waiting.add(case, self._able_to_have(question))

    def _able_to_have(self, question: Question) -> frozenset[str]:
        """Who could have the lead, if they were here."""
        promise = question.found.promise
        key = promise.team, wanted(self._configuration, promise, question.lead)
        if key not in self._able:
            self._able[key] = frozenset(self._fitting(*key))
        known = [owner.rep for owner in question.known] if promise.sticky else []
        return self._able[key].union(known) - question.had_it

    def _fitting(self, name: str, want: Wanted) -> Iterator[str]:
        for team in map(self._configuration.teams_by_id.__getitem__, self._configuration.teams_after(name)):
            among = self._state.fitting(self._configuration, team, want)
            yield from (member.rep for member in team.members) if among is None else among

    def _assigned(self, case: _Case, assigned: Assigned) -> None:
        now, simulated = self._people.now, self._leads[case.place]
        if case.waits_since is not None:
            self._books.waited(case.found.promise.team, now - case.waits_since)
            case.waits_since = None
        self._owners.remember(simulated.lead, assigned.rep, now)
        given = self._books.assigned(case.place, assigned, now)
        hour_ends = self._people.hour_ends(assigned.rep)
        if hour_ends:
            self._at(hour_ends, partial(self._may_be_back, assigned.rep))
        if simulated.answered_after is not None and len(case.had_it) < simulated.declines:
            self._at(now + simulated.answered_after, partial(self._declined, case, given))
        elif simulated.answered_after is not None:
            self._at(now + simulated.answered_after, partial(self._ended, given))
        elif (taken_away := _taken_away_after(self._configuration, case.found.promise)) is not None:
            self._at(now + taken_away, partial(self._taken_away, case, given))

    def _declined(self, case: _Case, given: Given) -> None:
        given.declined = True
        case.had_it.add(given.rep)
        self._owners.forget(self._leads[case.place].lead, given.rep, given.at)
        if given.weight:
            self._state.turns[given.team].give_back(given.rep, given.weight)
        self._route(case)
        self._ended(given)

    def _taken_away(self, case: _Case, given: Given) -> None:
        self._owners.forget(self._leads[case.place].lead, given.rep, given.at)
        self._ended(given)

    def _ended(self, given: Given) -> None:
        given.until = self._people.now
        was_away = self._people.absence(given.rep) is not None
        self._state.ended(self._configuration, given.rep)
        if was_away:
            self._serve({given.rep})

    def _may_be_back(self, rep: str) -> None:
        self._state.look_at(self._configuration, rep)
        self._serve({rep})

    def _presence_changes(self) -> None:
        away = [rep.id for rep in self._configuration.reps if self._people.absence(rep.id) is not None]
        self._people.look()
        for team in self._configuration.teams:
            self._state.observe(self._configuration, team.id)
        self._serve(set(away))
        following = presence_changes_after(self._configuration, self._people.now)
        if following:
            self._at(following, self._presence_changes)

    def _serve(self, maybe_back: set[str]) -> None:
        """Route who has waited for one of these."""
        back = {rep for rep in maybe_back if self._people.absence(rep) is None}
        for case in self._waiting.for_those(back):
            rep = self._route(case)
            if rep is not None and self._people.absence(rep) is not None:
                back.discard(rep)

    def _at(self, moment: datetime, happen: Callable[[], None]) -> None:
        heappush(self._agenda, (moment, next(self._order), happen))


def _taken_away_after(configuration: Configuration, promise: Promise) -> timedelta | None:
    """When the escalation policy takes a lead from a rep who never answers; None when it does not."""
    steps = configuration.policies_by_id[promise.escalation].steps
    return min(
        (step.at * promise.respond_within + step.after for step in steps if step.action == "reassign"),
        default=None,
    )
