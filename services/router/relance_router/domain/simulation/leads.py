"""Leads to rehearse with."""

from dataclasses import dataclass
from datetime import timedelta

from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.past_leads import PastLead


@dataclass(frozen=True)
class SimulatedLead:
    """A lead, and what reps do with it, whoever they are.

    `answered_after` runs from the assignment to the first answer, None when nobody ever answers; the first `declines`
    owners decline it, each after as long. A lead that nobody ever answers is not declined either.
    """

    lead: LeadFacts
    answered_after: timedelta | None
    declines: int = 0


def of_the_past(past: PastLead) -> SimulatedLead:
    """A past lead: reps would have answered as soon as they did, counted from the assignment.

    Of a lead that was given on, only the whole time until somebody answered is known: its owners share it evenly.
    """
    if past.first_response_seconds is None:
        return SimulatedLead(past.facts, None, past.declines)
    waited = (past.assigned_at - past.received_at).total_seconds() if past.assigned_at else 0.0
    owners = past.declines + past.reassignments + 1
    # Clocks of two machines may disagree by a little.
    answered_after = max(past.first_response_seconds - waited, 0.0) / owners
    return SimulatedLead(past.facts, timedelta(seconds=answered_after), past.declines)
