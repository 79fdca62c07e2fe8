"""What came of a rehearsal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class RepShare:
    """What a rep got in one team's line: leads `given` and not declined, and the `share` due by weight while present.

    `worst` is the largest |given - share| after any lead.
    """

    team: str
    rep: str
    weight: int
    given: int
    share: float
    worst: float


@dataclass(frozen=True)
class Holds:
    """How often leads of a team had to wait, and for how long; `waiting` are those that still do at the end."""

    team: str
    held: int
    waiting: int
    median: timedelta
    longest: timedelta


@dataclass(slots=True)
class Given:
    """One lead, by its place among those rehearsed with, given to a rep. `until` it is answered, declined or taken
    away; None while it is in hand. `weight` is that of the turn it took, 0 when it took none.
    """

    place: int
    rep: str
    team: str
    weight: int
    at: datetime
    until: datetime | None = None
    declined: bool = False


@dataclass(frozen=True)
class Report:
    """The whole rehearsal: leads = assigned + waiting + joined, and assigned = windows kept + windows missed.

    A lead counts for the rep and the team that have it at the end, and for its rule in any case; one that joined
    another counts for none. `keys_unknown` are those that `same_person` could not look at: they joined nothing.
    """

    leads: int
    assigned: int
    waiting: int
    joined: int
    keys_unknown: int
    declined: int
    offered: int
    windows_kept: int
    windows_missed: int
    by_rule: Mapping[str, int]
    by_team: Mapping[str, int]
    by_rep: Mapping[str, int]
    missed_by_team: Mapping[str, int]
    shares: tuple[RepShare, ...]
    holds: tuple[Holds, ...]
    first_owners: tuple[str | None, ...]
    """Of each lead, in the order in which leads were given; of one that joined another, the other's."""
    joined_to: tuple[int | None, ...]
    """The place of the lead that each one joined."""
    timeline: tuple[Given, ...]
    """Every time that a lead was given, in order."""

    @property
    def worst_share(self) -> float:
        """The largest |given - share| of anybody after any lead."""
        return max((each.worst for each in self.shares), default=0.0)
