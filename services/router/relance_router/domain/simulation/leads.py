"""Leads to rehearse with."""

from dataclasses import dataclass
from datetime import timedelta

from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.past_leads import PastLead


@dataclass(frozen=True)
class SimulatedLead:
    """A lead, and what reps do with it, whoever they are.

    `answered_after` runs from the assignment to the first answer, None when nobody ever answers; the first `declines`
    owners decline it, each after as long. A lead that nobody ever answers is not declined either. It is over
    `over_after` its receipt, whatever else; None: it stays open. `person_keys` are None when they are not known.
    """

    lead: LeadFacts
    answered_after: timedelta | None
    declines: int = 0
    person_keys: frozenset[str] | None = None
    over_after: timedelta | None = None
    name: str | None = None
    """The id of a past lead."""


def of_the_past(past: PastLead) -> SimulatedLead:
    """A past lead: reps would have answered as soon as they did, counted from the assignment.

    Of a lead that was given on, only the whole time until somebody answered is known: its owners share it evenly.
    """
    # Clocks of two machines may disagree by a little: here, and where answers are counted.
    over_after = None if past.over_seconds is None else timedelta(seconds=max(past.over_seconds, 0.0))
    person_keys = None if past.person_keys is None else frozenset(past.person_keys)
    return SimulatedLead(
        past.facts, _answered_after(past), past.declines, person_keys, over_after, name=str(past.lead_id)
    )


def _answered_after(past: PastLead) -> timedelta | None:
    if past.first_response_seconds is None:
        return None
    waited = (past.assigned_at - past.received_at).total_seconds() if past.assigned_at else 0.0
    owners = past.declines + past.reassignments + 1
    return timedelta(seconds=max(past.first_response_seconds - waited, 0.0) / owners)
