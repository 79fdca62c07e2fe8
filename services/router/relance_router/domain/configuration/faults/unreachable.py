"""Rules that no lead reaches."""

from collections.abc import Iterator

from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.faults.fault import Fault
from relance_router.domain.configuration.faults.implication import implies


def unreachable_rules(configuration: Configuration) -> Iterator[Fault]:
    """Each with the first rule above it that takes every lead that it could match."""
    for place, rule in enumerate(configuration.rules):
        for above, earlier in enumerate(configuration.rules[:place]):
            if implies(rule.when, earlier.when):
                reason = f"rule {rule.id!r} is never reached: rule {earlier.id!r} above it takes all of its leads"
                yield Fault(("rules", place), reason, other=("rules", above))
                break
