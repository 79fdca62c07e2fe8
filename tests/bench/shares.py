"""Who got how much of a team's leads, and how far that is from their weighted share, in exact fractions."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Given:
    """A lead given to a rep: for the first time, when `taken_from` is None, or anew after a decline.

    `present` are the weights of everybody who was available then.
    """

    rep: str
    present: Mapping[str, int]
    taken_from: str | None = None


@dataclass(frozen=True)
class Standing:
    """A rep at the end: leads kept, and the share that was due."""

    given: int
    share: Fraction


@dataclass(frozen=True)
class Shares:
    """The books of a team. `worst_over_time` is the largest |given - share| of the watched after any decision."""

    standings: Mapping[str, Standing]
    worst_over_time: Fraction

    def worst(self, reps: Collection[str]) -> Fraction:
        """The largest |given - share| of these reps at the end."""
        return max(abs(standing.given - standing.share) for rep, standing in self.standings.items() if rep in reps)


def shares(decisions: Sequence[Given], watched: Collection[str]) -> Shares:
    """Add up decisions in their order.

    Each new lead adds weight / (weights of all present) to the share of everybody present; a lead that was declined
    counts once, for whoever has it after.
    """
    # In units of one over the common denominator: exact as fractions are, and much faster.
    unit = math.lcm(*{sum(decision.present.values()) for decision in decisions})
    share: Counter[str] = Counter()
    given: Counter[str] = Counter()
    worst = 0
    for decision in decisions:
        if decision.taken_from is None:
            part = unit // sum(decision.present.values())
            for rep, weight in decision.present.items():
                share[rep] += weight * part
        else:
            given[decision.taken_from] -= 1
        given[decision.rep] += 1
        worst = max(worst, *(abs(given[rep] * unit - share[rep]) for rep in watched))
    return Shares(
        {rep: Standing(given[rep], Fraction(share[rep], unit)) for rep in sorted(given.keys() | share.keys())},
        Fraction(worst, unit),
    )
