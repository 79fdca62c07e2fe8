"""A lead that needs an owner, and why."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from relance.events import LeadReceived
from relance.ids import AssignmentId
from relance_router.domain.lead_facts import LeadFacts, lead_facts
from relance_router.domain.routing import Hand


class Cause(StrEnum):
    """Why a lead needs an owner."""

    NEW = "new"
    DECLINED = "declined"
    IGNORED = "ignored"
    """The response window passed and the escalation policy asks for somebody else."""
    RETRIED = "retried"
    """It stood unrouted."""
    UNCLAIMED = "unclaimed"
    """It was offered to several, and nobody claimed it."""

    CLAIMED = "claimed"
    """It was offered to several, and one of them claimed it."""
    MOVED = "moved"
    """A manager took it from its rep."""
    SEPARATED = "separated"
    """It was a touch of another lead, and a manager says that it is a lead of its own."""
    GIVEN = "given"
    """It stood unrouted, and a manager says who gets it."""

    @property
    def stood_unrouted(self) -> bool:
        """Whether the lead stands in `unrouted`."""
        return self in {Cause.RETRIED, Cause.UNCLAIMED, Cause.CLAIMED, Cause.GIVEN}


@dataclass(frozen=True)
class Owner:
    """An assignment that is open, and is to end. `weight` is that of the turn it took, 0 when it took none.

    `in_hand` says whether the rep has still work to do on it, so that it counts towards their capacity.
    """

    assignment_id: AssignmentId
    rep: str
    team: str
    weight: int
    in_hand: bool


@dataclass(frozen=True)
class Request:
    """A lead that needs an owner. Its row is locked by the caller."""

    cause: Cause
    lead: LeadReceived
    traceparent: str
    had_it: tuple[str, ...] = ()
    """Reps who owned it before, oldest first."""
    owner: Owner | None = None
    declined: tuple[str, ...] = ()
    """Reps who declined an offer of it."""
    revision: int = 0
    """How often the lead was revised before."""
    hand: Hand | None = None
    """Of causes MOVED and GIVEN: who says so, and why."""

    @cached_property
    def facts(self) -> LeadFacts:
        """The lead as decisions see it."""
        return lead_facts(self.lead)
