"""What a change of the configuration would have done."""

from collections.abc import Mapping
from dataclasses import dataclass

from relance_router.domain.simulation.report import Report


@dataclass(frozen=True)
class Difference:
    """One number under the configuration that runs, and under the one that is planned."""

    name: str
    before: int
    after: int

    @property
    def gain(self) -> int:
        """How much more there would have been."""
        return self.after - self.before


@dataclass(frozen=True)
class JoinDifference:
    """A lead, by its place, and which one it joins under each configuration; None: it is a lead of its own."""

    place: int
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Comparison:
    """Two rehearsals of the same leads. Each list has the largest change first."""

    leads: int
    moved: int
    """Leads whose first owner would have been another."""
    joins: tuple[JoinDifference, ...]
    """In the order of the leads."""
    reps: tuple[Difference, ...]
    teams: tuple[Difference, ...]
    rules: tuple[Difference, ...]
    windows_missed: tuple[Difference, ...]
    held: tuple[Difference, ...]


def compare(before: Report, after: Report) -> Comparison:
    """Compare two rehearsals of the same leads."""
    return Comparison(
        leads=after.leads,
        moved=sum(old != new for old, new in zip(before.first_owners, after.first_owners, strict=True)),
        joins=tuple(
            JoinDifference(place, old, new)
            for place, (old, new) in enumerate(zip(before.joined_to, after.joined_to, strict=True))
            if old != new
        ),
        reps=_differences(before.by_rep, after.by_rep),
        teams=_differences(before.by_team, after.by_team),
        rules=_differences(before.by_rule, after.by_rule),
        windows_missed=_differences(before.missed_by_team, after.missed_by_team),
        held=_differences(_held(before), _held(after)),
    )


def _held(report: Report) -> dict[str, int]:
    return {each.team: each.held for each in report.holds}


def _differences(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[Difference, ...]:
    names = sorted(before.keys() | after.keys())
    found = [Difference(name, before.get(name, 0), after.get(name, 0)) for name in names]
    return tuple(sorted(found, key=lambda each: (-abs(each.gain), each.name)))
