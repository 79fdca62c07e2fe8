"""What is counted: each figure with its condition, which also finds the leads behind it."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import get_args

from relance.events.response import RejectionReason

SALES: Mapping[str, str] = {
    "leads": "true",
    "given": "given_at IS NOT NULL",
    "not_given": "given_at IS NULL",
    "answered": "answered_at IS NOT NULL",
    "in_window": "in_window",
    "out_of_window": "NOT in_window",
    "never_answered": "never_answered",
    "declined": "declined",
    "reassigned": "reassigned",
    "extended": "extended",
}
"""Sales' answer to marketing's leads: conditions over the columns of the views."""
MARKETING: Mapping[str, str] = {
    "leads": "true",
    "first_touch": "joined IS NULL",
    "touches": "joined IS NOT NULL",
    "accepted": "disposition IN ('accepted', 'won', 'lost')",
    "rejected": "disposition = 'rejected'",
    **{
        f"rejected_{reason}": f"disposition = 'rejected' AND disposition_reason = '{reason}'"
        for reason in get_args(RejectionReason)
    },
    "won": "disposition = 'won'",
    "lost": "disposition = 'lost'",
    "undecided": "disposition IS NULL",
}
"""Marketing's quality for sales. A lead counts once in a group, whichever of its touches it is there for."""
SUBMISSIONS = frozenset({"touches"})
"""Figures that count each submission."""
FIGURES: Mapping[str, str] = {**SALES, **MARKETING}


def share(part: int, rest: int) -> float | None:
    """`part` of both, from 0 to 1; None when there is neither."""
    return part / (part + rest) if part + rest else None


def cost_of_one(spent: Decimal | None, count: int) -> Decimal | None:
    """What one has cost, in cents; None when nothing is known to be spent, or when there is none."""
    return cents(spent / count) if spent is not None and count else None


def cents(amount: Decimal) -> Decimal:
    """Rounded half up to two places."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
