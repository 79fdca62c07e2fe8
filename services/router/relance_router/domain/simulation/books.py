"""The books of a rehearsal."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

from relance_router.domain.configuration import Configuration
from relance_router.domain.fair_choice import UNIT, Turns
from relance_router.domain.routing import Assigned
from relance_router.domain.rules import Match
from relance_router.domain.simulation.leads import SimulatedLead
from relance_router.domain.simulation.report import Given, Holds, Report, RepShare


class Books:
    """Kept while a rehearsal goes on."""

    def __init__(self, configuration: Configuration, leads: Sequence[SimulatedLead]) -> None:
        self._configuration = configuration
        self._leads = leads
        self._found: dict[int, Match] = {}
        self._timeline: list[Given] = []
        self._held: Counter[str] = Counter()
        self._waited: defaultdict[str, list[timedelta]] = defaultdict(list)
        self._worst: dict[tuple[str, str], float] = {}
        self._joined_to: dict[int, int] = {}
        self.offered = 0
        self.keys_unknown = 0

    def received(self, place: int, found: Match) -> None:
        """A lead falls under a rule."""
        self._found[place] = found

    def joined(self, place: int, other: int) -> None:
        """A lead is a touch of another one."""
        self._joined_to[place] = other

    def waits(self, team: str) -> None:
        """A lead of a team begins to wait."""
        self._held[team] += 1

    def waited(self, team: str, how_long: timedelta) -> None:
        """A lead of a team has waited, and has an owner."""
        self._waited[team].append(how_long)

    def assigned(self, place: int, assigned: Assigned, at: datetime) -> Given:
        """A lead has an owner."""
        given = Given(place, assigned.rep, assigned.team, assigned.weight, at)
        self._timeline.append(given)
        return given

    def turn_taken(self, assigned: Assigned, line: Turns, time_before: int) -> None:
        """The owner took a turn in a line whose virtual time was `time_before`.

        What is owed to a rep only grows between two turns, so that it is at its most just before one and at its least
        just after.
        """
        owed = _owed(line, assigned.rep, assigned.weight)
        before = owed + 1 - (line.virtual_time - time_before) * assigned.weight / UNIT
        key = assigned.team, assigned.rep
        self._worst[key] = max(self._worst.get(key, 0.0), abs(owed), abs(before))

    def report(self, lines: Mapping[str, Turns]) -> Report:
        """The report, with the lines as they are at the end."""
        first: list[str | None] = [None] * len(self._leads)
        owners: dict[int, Given] = {}
        for given in self._timeline:
            first[given.place] = first[given.place] or given.rep
            owners[given.place] = given
        for touch, other in self._joined_to.items():
            first[touch] = first[other]
        owned = [given for given in owners.values() if not given.declined]
        missed = Counter(given.team for given in owned if self._missed(given.place))
        in_turn = Counter((each.team, each.rep) for each in self._timeline if each.weight and not each.declined)
        return Report(
            leads=len(self._leads),
            assigned=len(owned),
            waiting=len(self._leads) - len(owned) - len(self._joined_to),
            joined=len(self._joined_to),
            keys_unknown=self.keys_unknown,
            declined=sum(given.declined for given in self._timeline),
            offered=self.offered,
            windows_kept=len(owned) - missed.total(),
            windows_missed=missed.total(),
            by_rule=Counter(found.rule for found in self._found.values()),
            by_team=Counter(given.team for given in owned),
            by_rep=Counter(given.rep for given in owned),
            missed_by_team=missed,
            shares=tuple(share for team, line in lines.items() for share in self._shares(team, line, in_turn)),
            holds=tuple(self._holds(team) for team in sorted(self._held)),
            first_owners=tuple(first),
            joined_to=tuple(self._joined_to.get(place) for place in range(len(self._leads))),
            timeline=tuple(self._timeline),
        )

    def _missed(self, place: int) -> bool:
        answered_after = self._leads[place].answered_after
        return answered_after is None or answered_after > self._found[place].promise.respond_within

    def _shares(self, team: str, line: Turns, in_turn: Mapping[tuple[str, str], int]) -> Iterator[RepShare]:
        for member in self._configuration.teams_by_id[team].members:
            key = team, member.rep
            owed = _owed(line, member.rep, member.weight)
            worst = max(self._worst.get(key, 0.0), abs(owed))
            given = in_turn.get(key, 0)
            yield RepShare(team, member.rep, member.weight, given, round(given + owed, 3), round(worst, 3))

    def _holds(self, team: str) -> Holds:
        waited = [each.total_seconds() for each in self._waited[team]]
        return Holds(
            team=team,
            held=self._held[team],
            waiting=self._held[team] - len(waited),
            median=timedelta(seconds=median(waited)) if waited else timedelta(),
            longest=timedelta(seconds=max(waited, default=0.0)),
        )


def _owed(line: Turns, rep: str, weight: int) -> float:
    place = line.places[rep]
    now = line.virtual_time if place.away_since is None else place.away_since
    return (now - place.start) * weight / UNIT
