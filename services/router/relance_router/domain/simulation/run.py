"""One rehearsal: leads in order of their times, decided one by one, with what follows from each at its own time."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from relance_router.domain import rules
from relance_router.domain.availability import Availability
from relance_router.domain.configuration import Configuration
from relance_router.domain.fair_choice import Turns
from relance_router.domain.owners import LastOwners, company_domain, known_owners
from relance_router.domain.routing import Assigned, By, Held, Offered, Question, RoutingState, decide
from relance_router.domain.rules import Match
from relance_router.domain.simulation.books import Books
from relance_router.domain.simulation.leads import SimulatedLead
from relance_router.domain.simulation.presence import LoadHistory, presence_changes_after
from relance_router.domain.simulation.report import Report

REPORT_EVERY = 1000
"""Leads between two words about the progress."""
AFTERWARDS = timedelta(days=14)
"""How long after the last lead what is under way may still happen."""

Pick = Callable[[Sequence[str]], str]
"""Says who of those who are asked claims an offered lead."""


def simulate(
    configuration: Configuration,
    leads: Sequence[SimulatedLead],
    *,
    pick: Pick,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Rehearse; `progress` hears how many leads are done. The same leads and picks give the same report."""
    if not leads:
        return Books(configuration, 0).report({})
    in_order = sorted(range(len(leads)), key=lambda place: (leads[place].lead.received_at, place))
    first, last = (leads[in_order[end]].lead.received_at for end in (0, -1))
    rehearsal = _Rehearsal(configuration, leads, pick, first)
    for done, place in enumerate(in_order):
        rehearsal.until(leads[place].lead.received_at)
        rehearsal.route(_Case(place))
        if done % REPORT_EVERY == 0:
            progress(done)
    rehearsal.until(last + AFTERWARDS)
    progress(len(leads))
    return rehearsal.report()


@dataclass
class _Case:
    """One lead on its way."""

    place: int
    had_it: set[str] = field(default_factory=set)
    returned_to: str | None = None
    waits_since: datetime | None = None


class _Rehearsal:
    def __init__(
        self, configuration: Configuration, leads: Sequence[SimulatedLead], pick: Pick, begin: datetime
    ) -> None:
        self._configuration = configuration
        self._leads = leads
        self._pick = pick
        self._now = begin
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._waiting: list[_Case] = []
        self._books = Books(configuration, len(leads))
        self._loads = LoadHistory(configuration)
        self._last = LastOwners()
        self._state = RoutingState(
            Availability(configuration, begin), {team.id: Turns() for team in configuration.teams}
        )
        self._presence_changes()

    def until(self, moment: datetime) -> None:
        """Let everything happen that happens up to `moment`."""
        while self._agenda and self._agenda[0][0] <= moment:
            self._now, _, happen = heappop(self._agenda)
            happen()
        self._now = moment

    def route(self, case: _Case) -> None:
        """Decide for one lead."""
        lead = self._leads[case.place].lead
        found = rules.match(self._configuration, lead)
        question = Question(
            lead,
            found,
            had_it=frozenset(case.had_it),
            known=known_owners(self._configuration, lead, self._last),
            returned_to=case.returned_to,
        )
        match decide(question, self._configuration, self._state, self._now).outcome:
            case Assigned() as assigned:
                self._assigned(case, found, assigned)
            case Offered(reps=reps, team=team):
                self._books.offered += 1
                self._assigned(case, found, self._claim(self._pick(reps), team, new_lead=case.returned_to != team))
            case Held():
                if case.waits_since is None:
                    case.waits_since = self._now
                    self._books.waits(found.promise.team)
                self._waiting.append(case)

    def report(self) -> Report:
        """What came of it."""
        return self._books.report(self._state.turns)

    def _claim(self, rep: str, team: str, *, new_lead: bool) -> Assigned:
        turns = self._state.turns[team]
        turns.charge(rep, new_lead=new_lead)
        self._state.given(self._configuration, rep)
        return Assigned(rep, team, self._configuration.weight(team, rep), By.CLAIM, "claimed it first")

    def _assigned(self, case: _Case, found: Match, assigned: Assigned) -> None:
        simulated = self._leads[case.place]
        waited = None if case.waits_since is None else self._now - case.waits_since
        self._books.assigned(case.place, found, assigned, simulated, waited)
        self._loads.given(assigned.rep, self._now)
        if self._configuration.stickiness:
            self._last.of_person[simulated.lead.identity] = assigned.rep
            if domain := company_domain(self._configuration, simulated.lead):
                self._last.of_company[domain] = assigned.rep
        if simulated.answered_after is None:
            return
        declined = len(case.had_it) < simulated.declines
        answer = self._declined if declined else self._contacted
        self._at(self._now + simulated.answered_after, lambda: answer(case, assigned))

    def _contacted(self, _case: _Case, assigned: Assigned) -> None:
        self._is_free(assigned.rep)

    def _declined(self, case: _Case, assigned: Assigned) -> None:
        self._books.declined(assigned)
        if assigned.weight:
            self._state.turns[assigned.team].give_back(assigned.rep, assigned.weight)
        case.had_it.add(assigned.rep)
        case.returned_to = assigned.team if assigned.weight else None
        self.route(case)
        case.returned_to = None
        self._is_free(assigned.rep)

    def _is_free(self, rep: str) -> None:
        was_away = self._state.people.absence(rep) is not None
        self._loads.ended(rep)
        self._state.ended(self._configuration, rep)
        if was_away:
            self._try_those_who_wait(lambda: self._state.people.absence(rep) is None)

    def _try_those_who_wait(self, somebody_is_free: Callable[[], bool]) -> None:
        waiting, self._waiting = deque(self._waiting), []
        while waiting and somebody_is_free():
            self.route(waiting.popleft())
        self._waiting += waiting

    def _presence_changes(self) -> None:
        loads = self._loads.at(self._now)
        self._state.people = Availability(self._configuration, self._now, loads=loads)
        for team in self._configuration.teams:
            self._state.observe(self._configuration, team.id)
        self._try_those_who_wait(lambda: any(turns.present for turns in self._state.turns.values()))
        following = presence_changes_after(self._configuration, self._now)
        if following:
            self._at(following, self._presence_changes)

    def _at(self, moment: datetime, happen: Callable[[], None]) -> None:
        heappush(self._agenda, (moment, next(self._order), happen))
