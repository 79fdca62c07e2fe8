"""Whose turn it is: proportionate fairness on a virtual clock, one per team.

Every lead moves the team's virtual time on by 1/W, where W is the weight of all who are present, so that a rep of
weight w is due w/W of the lead. A rep's n-th turn may begin once virtual time reaches n/w and should be taken by
(n+1)/w; of those whose turn may begin, the one who should take it first is chosen, and of equals the one who has waited
longest. For reps who are always present this keeps |given - share| below 1 after any number of leads (S. K. Baruah,
N. K. Cohen, C. G. Plaxton, D. A. Varvel, "Proportionate progress: a notion of fairness in resource allocation",
Algorithmica 15, 1996: on one resource, earliest deadline first meets every window).

Who goes away takes the place in line along, ahead or behind, and resumes it on return: nobody back from leave is
flooded with what was missed.

Virtual time is an integer, in units of 2**-80. A lead rounds by at most one unit, so below 2**39 leads all rounding
together stays under `ROUNDING`; and moments that differ at all differ by more: by 1 / (w W) at least, which for weights
up to 10 000 and teams of up to 1 000 000 in sum is above 2**-34.

`earliest_turn` is the rule, in three lines. `Turns` gives the same choice from two heaps, so that a lead costs the
logarithm of the team's size: who may take a turn, by its end, and who may not yet, by its beginning.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

UNIT = 2**80
ROUNDING = 2**40


@dataclass(frozen=True)
class Place:
    """A rep's place in line: the virtual time from which the next turn may be taken.

    `away_since` is the virtual time at which the rep went away, and `away_because` the reason; None for who is present.
    """

    start: int
    away_since: int | None = None
    away_because: str | None = None


@dataclass(frozen=True)
class Change:
    """A rep's place as it became by the `number`-th change of the team's line."""

    number: int
    rep: str
    place: Place


class Turns:
    """The line of one team. Made from what is stored, changed by decisions, stored again.

    Every change of a place is numbered and kept in `changes`, so that the line can be seen later as it was before any
    decision.
    """

    def __init__(
        self,
        virtual_time: int = 0,
        places: Mapping[str, Place] | None = None,
        *,
        changes_before: int = 0,
        returned: int = 0,
    ) -> None:
        """`returned` counts leads that have moved the clock and were given back: so many next leads do not move it."""
        self.virtual_time = virtual_time
        self.returned = returned
        self.places = dict(places or {})
        self.changes: list[Change] = []
        self._changes_before = changes_before
        self._weights: dict[str, int] = {}
        self._total = 0
        self._waiting: list[tuple[int, str]] = []
        self._ready: list[tuple[int, int, str]] = []

    @property
    def last_change(self) -> int:
        """The number of the newest change."""
        return self._changes_before + len(self.changes)

    @property
    def present(self) -> Mapping[str, int]:
        """The weight of everybody who is here."""
        return self._weights

    def observe(self, present: Mapping[str, int], away: Mapping[str, str]) -> None:
        """Note who is here, with weights, and why the others are not. Whoever else has a place has left the team."""
        self._weights, self._total = dict(present), sum(present.values())
        for rep in present:
            self._come(rep)
        for rep, place in self.places.items():
            if rep not in present:
                self._go(rep, place, away.get(rep, "no longer in the team"))
        for rep in away.keys() - self.places.keys():
            self._put(rep, Place(self.virtual_time, self.virtual_time, away[rep]))
        self._waiting = [(self.places[rep].start, rep) for rep in present]
        self._ready = []
        heapify(self._waiting)

    def arrive(self, rep: str, weight: int) -> None:
        """A rep is here from now on."""
        self._weights[rep] = weight
        self._total += weight
        self._come(rep)
        heappush(self._waiting, (self.places[rep].start, rep))

    def leave(self, rep: str, because: str) -> None:
        """A rep who was here is not from now on."""
        self._total -= self._weights.pop(rep)
        self._go(rep, self.places[rep], because)

    def take(self, *, barred: Collection[str] = (), among: Collection[str] | None = None) -> str | None:
        """Choose for one lead, and move the line on.

        `barred` may not have this lead and `among`, when given, are those who may; the share of everybody present
        still counts towards it. None when nobody is left, which moves nothing.
        """
        candidates = self._candidates(barred, among)
        if candidates is not None and not candidates:
            return None
        self._advance()
        rep = self._first_ready() if candidates is None else None
        if rep is None:
            weights = candidates or self._weights
            rep = earliest_turn(self.virtual_time, weights, {each: self.places[each].start for each in weights})
        self._charge(rep)
        return rep

    def charge(self, rep: str) -> None:
        """The lead goes to `rep`, who is present, for another reason than their turn; it is counted as a turn."""
        self._advance()
        self._charge(rep)

    def give_back(self, rep: str, weight: int) -> None:
        """A declined lead gives its turn back: the rep stands where they stood before it, and the clock awaits a lead.

        That is this lead, when somebody else of the team gets it, or the one that comes next.
        """
        self.returned += 1
        place = self.places[rep]
        self._put(rep, replace(place, start=place.start - UNIT // weight))
        if rep in self._weights:
            heappush(self._waiting, (self.places[rep].start, rep))

    def _candidates(self, barred: Collection[str], among: Collection[str] | None) -> dict[str, int] | None:
        """Weights of those who may have the lead; None for everybody, who need not be listed."""
        if not barred and among is None:
            return None if self._weights else {}
        chosen = self._weights.keys() if among is None else among
        return {rep: self._weights[rep] for rep in chosen if rep in self._weights and rep not in barred}

    def _advance(self) -> None:
        if self.returned:
            self.returned -= 1
        elif self._total:
            self.virtual_time += UNIT // self._total
        while self._waiting and may_begin(self._waiting[0][0], self.virtual_time):
            start, rep = heappop(self._waiting)
            if self._stands(rep, start):
                heappush(self._ready, (start + UNIT // self._weights[rep], start, rep))

    def _first_ready(self) -> str | None:
        while self._ready:
            end, start, rep = self._ready[0]
            # Whoever came back with another weight may stand at the same place.
            if self._stands(rep, start) and end == start + UNIT // self._weights[rep]:
                return rep
            heappop(self._ready)
        return None

    def _stands(self, rep: str, start: int) -> bool:
        """Whether an entry of a heap still says where the rep stands."""
        return rep in self._weights and self.places[rep].start == start

    def _charge(self, rep: str) -> None:
        start = self.places[rep].start + UNIT // self._weights[rep]
        self._put(rep, Place(start))
        heappush(self._waiting, (start, rep))

    def _come(self, rep: str) -> None:
        place = self.places.get(rep)
        if place is None:
            self._put(rep, Place(self.virtual_time))
        elif place.away_since is not None:
            self._put(rep, Place(place.start + self.virtual_time - place.away_since))

    def _go(self, rep: str, place: Place, because: str) -> None:
        if place.away_since is None:
            self._put(rep, Place(place.start, self.virtual_time, because))
        elif place.away_because != because:
            self._put(rep, replace(place, away_because=because))

    def _put(self, rep: str, place: Place) -> None:
        self.places[rep] = place
        self.changes.append(Change(self.last_change + 1, rep, place))


def may_begin(start: int, virtual_time: int) -> bool:
    """Whether a turn that starts then may be taken now."""
    return start < virtual_time - ROUNDING


def earliest_turn(virtual_time: int, weights: Mapping[str, int], starts: Mapping[str, int]) -> str:
    """Of the reps whose turn may begin, the one who should take it first; of equals, who has waited longest.

    When nobody's turn may begin (others were barred), everybody's may.
    """
    candidates = [rep for rep in weights if may_begin(starts[rep], virtual_time)] or list(weights)
    return min(candidates, key=lambda rep: (starts[rep] + UNIT // weights[rep], starts[rep], rep))
