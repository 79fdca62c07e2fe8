"""The books of a rehearsal."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import timedelta
from statistics import median

from relance_router.domain.configuration import Configuration
from relance_router.domain.fair_choice import UNIT, Turns
from relance_router.domain.routing import Assigned
from relance_router.domain.rules import Match
from relance_router.domain.simulation.leads import SimulatedLead
from relance_router.domain.simulation.report import Holds, Report, RepShare


class Books:
    """Counts while a rehearsal goes on."""

    def __init__(self, configuration: Configuration, leads: int) -> None:
        self._configuration = configuration
        self._leads = leads
        self._owners: list[str | None] = [None] * leads
        self._by_rule: Counter[str] = Counter()
        self._by_team: Counter[str] = Counter()
        self._by_rep: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()
        self._began_to_wait: Counter[str] = Counter()
        self._waited: defaultdict[str, list[timedelta]] = defaultdict(list)
        self._given: Counter[tuple[str, str]] = Counter()
        self._declined = 0
        self.offered = 0

    def waits(self, team: str) -> None:
        """A lead of a team begins to wait."""
        self._began_to_wait[team] += 1

    def assigned(
        self, place: int, found: Match, assigned: Assigned, lead: SimulatedLead, waited: timedelta | None
    ) -> None:
        """A lead has an owner, after it has `waited`."""
        if self._owners[place] is None:
            self._owners[place] = assigned.rep
            self._by_rule[found.rule] += 1
            self._by_team[assigned.team] += 1
            if lead.answered_after is None or lead.answered_after > found.promise.respond_within:
                self._missed[assigned.team] += 1
            if waited is not None:
                self._waited[found.promise.team].append(waited)
        self._by_rep[assigned.rep] += 1
        if assigned.weight:
            self._given[assigned.team, assigned.rep] += 1

    def declined(self, assigned: Assigned) -> None:
        """An owner gives a lead back."""
        self._declined += 1
        self._by_rep[assigned.rep] -= 1
        if assigned.weight:
            self._given[assigned.team, assigned.rep] -= 1

    def report(self, lines: Mapping[str, Turns]) -> Report:
        """The report, with the lines as they are at the end."""
        owned = sum(owner is not None for owner in self._owners)
        missed = self._missed.total()
        return Report(
            leads=self._leads,
            assigned=owned,
            declined=self._declined,
            offered=self.offered,
            windows_kept=owned - missed,
            windows_missed=missed,
            by_rule=dict(self._by_rule),
            by_team=dict(self._by_team),
            by_rep=dict(self._by_rep),
            missed_by_team=dict(self._missed),
            shares=tuple(share for team, turns in lines.items() for share in self._shares(team, turns)),
            holds=tuple(self._holds(team) for team in sorted(self._began_to_wait)),
            owners=tuple(self._owners),
        )

    def _shares(self, team: str, turns: Turns) -> list[RepShare]:
        return [
            RepShare(team, rep, weight, given, round(given + owed, 3))
            for rep, place in turns.places.items()
            if (weight := self._configuration.weight(team, rep))
            for given in [self._given[team, rep]]
            for owed in [(_now(turns, place.away_since) - place.start) * weight / UNIT]
        ]

    def _holds(self, team: str) -> Holds:
        waited = self._waited[team]
        return Holds(
            team=team,
            held=self._began_to_wait[team],
            waiting=self._began_to_wait[team] - len(waited),
            median=timedelta(seconds=median(each.total_seconds() for each in waited)) if waited else timedelta(),
            longest=max(waited, default=timedelta()),
        )


def _now(turns: Turns, away_since: int | None) -> int:
    return turns.virtual_time if away_since is None else away_since
