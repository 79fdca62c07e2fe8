"""Territories that share some place."""

from collections.abc import Iterator
from itertools import combinations

from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.faults.fault import Fault, Severity
from relance_router.domain.configuration.territories import Territory


def overlaps(configuration: Configuration) -> Iterator[Fault]:
    """Two that divide the same country and share postal codes of it, or that both are the whole country.

    A country beside a part of it is no fault: that is what a lead may be in several territories for.
    """
    for (first, one), (second, other) in combinations(enumerate(configuration.territories), 2):
        shared = [country for country in one.countries if country in other.countries]
        places = _shared_ranges(one, other)
        if shared and places is not None:
            reason = f"territory {other.id!r} overlaps {one.id!r} in {', '.join(shared)}{places}"
            yield Fault(("territories", second), reason, Severity.WARNING, other=("territories", first))


def _shared_ranges(one: Territory, other: Territory) -> str | None:
    """In words; nothing for whole countries, None when no place is shared."""
    if not one.postal and not other.postal:
        return ""
    for its, its_range in zip(one.postal, one.ranges, strict=True):
        for others, others_range in zip(other.postal, other.ranges, strict=True):
            if its_range.meets(others_range):
                return f": {others} and {its}"
    return None
