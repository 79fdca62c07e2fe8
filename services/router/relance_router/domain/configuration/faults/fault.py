"""What may be wrong with a configuration of the right shape."""

from dataclasses import dataclass
from enum import StrEnum

from relance_router.domain.configuration.field_types import Path


class Severity(StrEnum):
    """Errors refuse the file; warnings are told, and it runs."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where in the document."""

    path: Path
    reason: str
    severity: Severity = Severity.ERROR
    other: Path | None = None
    """The other place that it is about: what it doubles, overlaps or is hidden by."""
