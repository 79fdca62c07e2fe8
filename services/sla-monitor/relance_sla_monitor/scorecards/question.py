"""What is asked of a scorecard: leads of which days, with which properties, grouped by what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, get_args
from urllib.parse import urlencode

Dimension = Literal["source", "campaign", "channel", "team", "rep", "week"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
Per = Literal["lead", "assignment"]
"""What counts as one: the lead, with its first assignment; or each assignment, which is fair to each rep."""

Side = Literal["sales", "marketing"]
"""Whose scorecard; marketing's has touches, too."""

_WITHOUT_TOUCHES = "(SELECT *, CAST(NULL AS uuid) AS joined FROM reporting.scorecard_{}s) AS facts"
_OF_SPEND = frozenset({"source", "campaign", "week"})


@dataclass(frozen=True)
class Question:
    """Leads received from `since` until before `until` (days, UTC), where each dimension in `having` has its value."""

    since: date
    until: date
    by: tuple[Dimension, ...] = ()
    having: Mapping[Dimension, str | None] = field(default_factory=dict)
    per: Per = "lead"
    side: Side = "sales"

    @property
    def rows(self) -> str:
        """SQL of the rows to count: a lead has one, and one for each of its touches; or one for each assignment."""
        if self.side == "marketing" and self.per == "lead":
            return "reporting.scorecard_credits AS facts"
        return _WITHOUT_TOUCHES.format(self.per)

    @property
    def one(self) -> str:
        """SQL of what counts as one of them."""
        return "DISTINCT coalesce(joined, lead_id)" if self.per == "lead" else "lead_id"

    @property
    def has_spend(self) -> bool:
        """Whether money can be told apart as this asks for: it is spent on sources and campaigns, by days."""
        return self.per == "lead" and {*self.by, *self.having} <= _OF_SPEND

    @property
    def has_cost(self) -> bool:
        """Whether its money was for its leads alone: not where they have no campaign, as that of a whole source is."""
        return self.having.get("campaign", "") is not None

    def of_group(self, group: Mapping[Dimension, str | None]) -> "Question":
        """The same question about one group alone."""
        return replace(self, by=(), having={**self.having, **group})

    def leads_link(self) -> str:
        """Where the leads behind it are listed."""
        given = [(name, value) for name, value in self.having.items() if value is not None]
        without = [("without", name) for name, value in self.having.items() if value is None]
        days = [("since", self.since.isoformat()), ("until", self.until.isoformat()), ("per", self.per)]
        return "/v1/scorecards/leads?" + urlencode([("side", self.side), *days, *given, *without])


def dimensions(by: str) -> tuple[Dimension, ...]:
    """What `source,week` names, in that order.

    Raises:
        ValueError: it names something else, or something twice; says which.
    """
    names = [name.strip() for name in by.split(",") if name.strip()]
    known = [dimension for name in names for dimension in DIMENSIONS if dimension == name]
    unknown = [name for name in names if name not in DIMENSIONS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: name some of {', '.join(DIMENSIONS)}, with commas between")
    if len(set(known)) < len(known):
        raise ValueError(f"{by}: name each once")
    return tuple(known)


def one_for_each(by: Sequence[Dimension], having: Mapping[Dimension, str | None]) -> Per:
    """What counts as one when the question does not say: assignments where reps are told apart, else leads."""
    return "assignment" if "rep" in by or "rep" in having else "lead"
