"""What a configuration of the right shape may still have wrong: a file for each kind."""

from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.faults.doubles import doubles
from relance_router.domain.configuration.faults.escalation import misplaced_steps, silent_steps
from relance_router.domain.configuration.faults.fault import Fault, Severity
from relance_router.domain.configuration.faults.hours import endless_windows
from relance_router.domain.configuration.faults.names import unknown_names
from relance_router.domain.configuration.faults.overlaps import overlaps
from relance_router.domain.configuration.faults.teams import team_faults
from relance_router.domain.configuration.faults.telling import missing_ways, never_told
from relance_router.domain.configuration.faults.unmet import unmet_requirements
from relance_router.domain.configuration.faults.unreachable import unreachable_rules

__all__ = ["Fault", "Severity", "faults"]

_KINDS = (
    doubles,
    unknown_names,
    unmet_requirements,
    unreachable_rules,
    overlaps,
    team_faults,
    misplaced_steps,
    silent_steps,
    endless_windows,
    missing_ways,
    never_told,
)


def faults(configuration: Configuration) -> list[Fault]:
    """Everything that is wrong."""
    return [fault for kind in _KINDS for fault in kind(configuration)]
