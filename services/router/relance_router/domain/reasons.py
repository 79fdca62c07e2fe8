"""Why a lead was declined, rejected or lost: bounded lists, so that they can be counted."""

from typing import get_args

from relance.events.response import Answer, DeclineReason, Disposition, LossReason, RejectionReason

REASONS: dict[Answer | Disposition, tuple[str, ...]] = {
    "declined": get_args(DeclineReason),
    "rejected": get_args(RejectionReason),
    "lost": get_args(LossReason),
}
"""What may be given as reason of what; everything else takes none."""
NEEDS_REASON: frozenset[Answer | Disposition] = frozenset({"rejected"})
"""Marketing is to learn why."""


class BadReason(ValueError):
    """The reason is missing, or not one of the list; says which may be given."""


def check_reason(said: Answer | Disposition, reason: str | None) -> None:
    """See that this may be given as reason.

    Raises:
        BadReason: it may not.
    """
    known = REASONS.get(said, ())
    choice = f"one of {', '.join(known)}" if known else "no reason"
    if reason is None and said in NEEDS_REASON:
        raise BadReason(f"Say why it is {said}: {choice}.")
    if reason is not None and reason not in known:
        raise BadReason(f"{said} takes {choice}.")
