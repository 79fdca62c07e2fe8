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
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

UNIT = 2**80
ROUNDING = 2**40


@dataclass(frozen=True)
class Place:
    """A rep's place in line: the virtual time from which the next turn may be taken.

    `away_since` is the virtual time at which the rep went away, None for one who is present.
    """

    start: int
    away_since: int | None = None


@dataclass(frozen=True)
class Choice:
    """Who was chosen, and between whom: virtual time and each candidate's place as they were compared."""

    rep: str
    virtual_time: int
    starts: Mapping[str, int]


class Turns:
    """The line of one team. Made from what is stored, changed by decisions, stored again."""

    def __init__(self, virtual_time: int = 0, places: Mapping[str, Place] | None = None) -> None:
        self.virtual_time = virtual_time
        self.places = dict(places or {})

    def observe(self, present: Collection[str]) -> None:
        """Note who is here, before a decision. Everybody else with a place in line is away, or has left the team."""
        for rep in present:
            place = self.places.get(rep)
            if place is None:
                self.places[rep] = Place(self.virtual_time)
            elif place.away_since is not None:
                self.places[rep] = Place(place.start + self.virtual_time - place.away_since)
        for rep, place in self.places.items():
            if rep not in present and place.away_since is None:
                self.places[rep] = Place(place.start, self.virtual_time)

    def take(self, present: Mapping[str, int], barred: frozenset[str], *, new_lead: bool) -> Choice | None:
        """Choose for one lead, and move the line on.

        `present` gives the weight of everybody whom `observe` was told is here; `barred` are those who may not have
        this lead (they declined it), but whose share it still counts towards. A lead that was given back has moved
        the clock already: pass `new_lead=False`. None when nobody is left.
        """
        candidates = {rep: weight for rep, weight in present.items() if rep not in barred}
        if not candidates:
            return None
        if new_lead:
            self.virtual_time += UNIT // sum(present.values())
        starts = {rep: self.places[rep].start for rep in candidates}
        rep = earliest_turn(self.virtual_time, candidates, starts)
        self.places[rep] = Place(starts[rep] + UNIT // candidates[rep])
        return Choice(rep, self.virtual_time, starts)

    def give_back(self, rep: str, weight: int) -> None:
        """A declined lead gives its turn back: the rep stands where they stood before it."""
        place = self.places[rep]
        self.places[rep] = Place(place.start - UNIT // weight, place.away_since)


def may_begin(start: int, virtual_time: int) -> bool:
    """Whether a turn that starts then may be taken now."""
    return start < virtual_time - ROUNDING


def earliest_turn(virtual_time: int, weights: Mapping[str, int], starts: Mapping[str, int]) -> str:
    """Of the reps whose turn may begin, the one who should take it first; of equals, who has waited longest.

    When nobody's turn may begin (others were barred), everybody's may.
    """
    candidates = [rep for rep in weights if may_begin(starts[rep], virtual_time)] or list(weights)
    return min(candidates, key=lambda rep: (starts[rep] + UNIT // weights[rep], starts[rep], rep))
