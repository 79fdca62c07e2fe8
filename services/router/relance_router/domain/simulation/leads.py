"""Leads to rehearse with."""

from dataclasses import dataclass
from datetime import timedelta

from relance_router.domain.lead_facts import LeadFacts


@dataclass(frozen=True)
class SimulatedLead:
    """A lead, and what reps do with it, whoever they are.

    `answered_after` runs from the assignment to the first answer, None when nobody ever answers; the first `declines`
    owners decline it, each after as long.
    """

    lead: LeadFacts
    answered_after: timedelta | None
    declines: int = 0
