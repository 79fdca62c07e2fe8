"""What came of a rehearsal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class RepShare:
    """What a rep got in one team's line: leads `given`, and the `share` due by weight while present."""

    team: str
    rep: str
    weight: int
    given: int
    share: float


@dataclass(frozen=True)
class Holds:
    """Leads of a team that had to wait, and for how long; `waiting` are those that still do at the end."""

    team: str
    held: int
    waiting: int
    median: timedelta
    longest: timedelta


@dataclass(frozen=True)
class Report:
    """The whole rehearsal. `owners` are the first owner of each lead, in the order in which leads were given."""

    leads: int
    assigned: int
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
    owners: tuple[str | None, ...]

    @property
    def worst_share(self) -> float:
        """The largest |given - share| of anybody, at the end."""
        return max((abs(each.given - each.share) for each in self.shares), default=0.0)
