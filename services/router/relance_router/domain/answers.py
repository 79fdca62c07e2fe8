"""What a rep's answer does to an assignment."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import get_args

from typing_extensions import TypeIs

from relance.events.response import Answer, Disposition


class AssignmentState(StrEnum):
    """Where an assignment stands, or an offer, which has the last states until it is claimed. See `ENDED`."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CONTACTED = "contacted"
    DECLINED = "declined"
    REASSIGNED = "reassigned"
    MOVED = "moved"
    """A manager has given the lead to somebody else."""
    OFFERED = "offered"
    TAKEN = "taken"
    """Somebody else has claimed it."""
    EXPIRED = "expired"
    """Nobody has claimed it in time."""
    ERASED = "erased"
    """Who it was is to be forgotten."""

    @property
    def ended(self) -> bool:
        """Whether the rep no longer owns the lead."""
        return self in ENDED


class Ending(Enum):
    """Why a lead is not the rep's any more, or never came to be: a title and a sentence, both for the rep."""

    DECLINED = "You passed this lead on", "You have declined this lead; it goes to somebody else."
    IGNORED = (
        "This lead has moved on",
        "This lead has been given to somebody else, because it was not answered in time.",
    )
    MOVED = "This lead has moved on", "A manager has given this lead to somebody else."
    CLAIMED = "Somebody was faster", "Somebody else has claimed this lead."
    UNCLAIMED = "This lead has moved on", "Nobody claimed this lead in time, so it goes by turns now."
    ERASED = "This lead was erased", "Who it was is to be forgotten, so nobody works on this lead any more."

    @property
    def title(self) -> str:
        """A few words."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """The whole of it."""
        return self.value[1]


ENDED = {
    AssignmentState.DECLINED: Ending.DECLINED,
    AssignmentState.REASSIGNED: Ending.IGNORED,
    AssignmentState.MOVED: Ending.MOVED,
    AssignmentState.TAKEN: Ending.CLAIMED,
    AssignmentState.EXPIRED: Ending.UNCLAIMED,
    AssignmentState.ERASED: Ending.ERASED,
}
"""The states in which the rep no longer owns the lead, or may no longer claim it."""


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


_PROGRESS = (AssignmentState.OFFERED, AssignmentState.OPEN, AssignmentState.ACKNOWLEDGED, AssignmentState.CONTACTED)


def is_answer(said: Answer | Disposition) -> TypeIs[Answer]:
    """Whether it is an answer for the assignment, and not of the lead's worth."""
    return said in get_args(Answer)


def answer(
    state: AssignmentState, given: Answer, disposition: Disposition | None = None
) -> Recorded | Repeated | Refused:
    """Decide what an answer does to an assignment in `state`, of which `disposition` was said last."""
    wanted = AssignmentState(given)
    if state is wanted:
        return Repeated()
    if state in ENDED:
        return Refused(ENDED[state].sentence)
    if wanted is AssignmentState.DECLINED:
        if state is AssignmentState.CONTACTED:
            return Refused("You have contacted this lead already, so it stays yours.")
        if disposition:
            return Refused("You have said what this lead was worth, so it stays yours.")
        return Recorded(wanted)
    return Recorded(wanted) if _PROGRESS.index(wanted) > _PROGRESS.index(state) else Repeated()
