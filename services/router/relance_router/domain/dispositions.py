"""What a lead was worth: what may be said of it, and what may follow what.

accepted <-> rejected, as often as sales corrects itself, until the lead is won or lost: those are final. Winning a
lead of which nothing was said accepts it too. Losing one does not: a lead that was worth nothing is rejected, not lost.
"""

from dataclasses import dataclass

from relance.events.response import Disposition
from relance_router.domain.answers import ENDED, AssignmentState, Recorded, Refused, Repeated
from relance_router.domain.reasons import check_reason

_FINAL = frozenset({"won", "lost"})


@dataclass(frozen=True)
class Judgement:
    """A disposition with its reason from the list, and the rep's own words.

    Raises:
        BadReason: the disposition needs a reason, or takes no such one.
    """

    disposition: Disposition
    reason: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        check_reason(self.disposition, self.reason)

    def adds_nothing_to(self, said: "Judgement") -> bool:
        """Whether this is what was said, or less of it."""
        return (
            self.disposition == said.disposition
            and self.reason in {None, said.reason}
            and self.note in {None, said.note}
        )


def dispose(state: AssignmentState, current: Judgement | None, said: Judgement) -> Recorded | Repeated | Refused:
    """Decide what a judgement does to an assignment in `state` of which `current` was said last."""
    if state in ENDED:
        return Refused(ENDED[state].sentence)
    if state in {AssignmentState.OFFERED, AssignmentState.OPEN}:
        return Refused("Say first that you have this lead, or that you have reached them.")
    before = current.disposition if current else None
    if current and (said.adds_nothing_to(current) or (said.disposition == "accepted" and before in _FINAL)):
        return Repeated()
    refusal = _refusal(before, said.disposition)
    return Refused(refusal) if refusal else Recorded(state)


def _refusal(before: Disposition | None, said: Disposition) -> str | None:
    if before in _FINAL:
        return f"You have said that this lead was {before}, and that is final."
    if before is None and said == "lost":
        return "Accept this lead before you lose it. If it was worth nothing, reject it."
    if before == "rejected" and said in _FINAL:
        return "You have rejected this lead. If it was worth something after all, accept it first."
    return None


def in_hand(state: AssignmentState, disposition: Disposition | None) -> bool:
    """Whether the lead still counts as work of its rep: not reached yet, and not found to be over."""
    waiting = state in {AssignmentState.OPEN, AssignmentState.ACKNOWLEDGED}
    return waiting and disposition in {None, "accepted"}
