"""What a rep's answer does to an assignment."""

from dataclasses import dataclass
from enum import StrEnum

from relance.events.response import Answer


class AssignmentState(StrEnum):
    """Where an assignment stands. The last two have ended: the rep no longer owns the lead."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CONTACTED = "contacted"
    DECLINED = "declined"
    REASSIGNED = "reassigned"

    @property
    def ended(self) -> bool:
        """Whether the rep no longer owns the lead."""
        return self in {AssignmentState.DECLINED, AssignmentState.REASSIGNED}


@dataclass(frozen=True)
class Recorded:
    """The answer counts: the assignment's new state."""

    state: AssignmentState


@dataclass(frozen=True)
class Repeated:
    """The same was said before, or more: nothing changes, and the rep is told that all is well."""


@dataclass(frozen=True)
class Refused:
    """The answer comes too late or contradicts what was said; the sentence is for the rep."""

    reason: str


_PROGRESS = (AssignmentState.OPEN, AssignmentState.ACKNOWLEDGED, AssignmentState.CONTACTED)
_GONE = {
    AssignmentState.DECLINED: "You have declined this lead; it has been given to somebody else.",
    AssignmentState.REASSIGNED: "This lead has been given to somebody else, because it was not answered in time.",
}


def answer(state: AssignmentState, given: Answer) -> Recorded | Repeated | Refused:
    """Decide what an answer does to an assignment in `state`."""
    wanted = AssignmentState(given)
    if state is wanted:
        return Repeated()
    if state.ended:
        return Refused(_GONE[state])
    if wanted is AssignmentState.DECLINED:
        if state is AssignmentState.CONTACTED:
            return Refused("You have contacted this lead already, so it stays yours.")
        return Recorded(wanted)
    return Recorded(wanted) if _PROGRESS.index(wanted) > _PROGRESS.index(state) else Repeated()
