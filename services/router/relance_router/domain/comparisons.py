"""How one field of a lead is compared, by each operator; compiled once, without regard to case."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import re2

from relance_router.domain.numbers_in_text import number_in
from relance_router.domain.postal_codes import postal_code, postal_range

MOST_NAMED = 5
"""Longer lists are cut where they are told."""


@dataclass(frozen=True)
class Comparison:
    """Whether a value is as wanted, and what is wanted, in words that follow "wanted"."""

    holds: Callable[[str], bool]
    wanted: str


def equal(values: Sequence[str]) -> Comparison:
    """One of these."""
    folded = frozenset(value.casefold() for value in values)
    return Comparison(lambda actual: actual.casefold() in folded, any_of(values))


def prefix(values: Sequence[str]) -> Comparison:
    """Begins with one of these."""
    folded = tuple(value.casefold() for value in values)
    return Comparison(lambda actual: actual.casefold().startswith(folded), f"beginning with {any_of(values)}")


def suffix(values: Sequence[str]) -> Comparison:
    """Ends in one of these."""
    folded = tuple(value.casefold() for value in values)
    return Comparison(lambda actual: actual.casefold().endswith(folded), f"ending in {any_of(values)}")


def contains(values: Sequence[str]) -> Comparison:
    """Has one of these somewhere."""
    folded = tuple(value.casefold() for value in values)

    def holds(actual: str) -> bool:
        text = actual.casefold()
        return any(value in text for value in folded)

    return Comparison(holds, f"containing {any_of(values)}")


def matches(pattern: str) -> Comparison:
    """The pattern is found in it."""
    regex = compiled(pattern)
    return Comparison(
        lambda actual: regex.search(actual.encode(errors="replace")) is not None, f"matching {any_of([pattern])}"
    )


def number(words: str, within: Callable[[Decimal, Decimal], bool], limit: float) -> Comparison:
    """It is a number, and `within` the limit; `words` say how."""
    bound = Decimal(str(limit))

    def holds(actual: str) -> bool:
        found = number_in(actual)
        return found is not None and within(found, bound)

    return Comparison(holds, f"a number {words} {bound.normalize():f}")


def domain(values: Sequence[str]) -> Comparison:
    """One of these domains, or a subdomain of it."""
    exact = frozenset(values)
    below = tuple(f".{value}" for value in values)

    def holds(actual: str) -> bool:
        text = actual.casefold()
        return text in exact or text.endswith(below)

    return Comparison(holds, f"in the domain {any_of(values)}")


def postal(values: Sequence[str]) -> Comparison:
    """In one of these postal ranges."""
    ranges = tuple(postal_range(value) for value in values)

    def holds(actual: str) -> bool:
        code = postal_code(actual)
        return any(code in each for each in ranges)

    return Comparison(holds, f"in the postal range {any_of(values)}")


OPERATORS: Mapping[str, Callable[[Any], Comparison]] = {
    "equals": lambda value: equal([value]),
    "in_": equal,
    "prefix": prefix,
    "suffix": suffix,
    "contains": contains,
    "matches": matches,
    "at_least": partial(number, "of at least", operator.ge),
    "at_most": partial(number, "of at most", operator.le),
    "above": partial(number, "above", operator.gt),
    "below": partial(number, "below", operator.lt),
    "domain": domain,
    "postal": postal,
}
"""How to compile each operator of routing.yaml from its operand."""


def compiled(pattern: str) -> Any:  # noqa: ANN401  # re2 ships no types
    """The pattern for RE2, which takes linear time whatever the text.

    Raises:
        ValueError: RE2 does not know it.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        words = reason.decode() if isinstance(reason, bytes) else reason
        raise ValueError(f"{pattern!r} is no RE2 pattern: {words}") from error


def any_of(values: Sequence[str]) -> str:
    """`a or b`; long lists and texts are cut."""
    named = [shown(value) for value in values[:MOST_NAMED]]
    more = [f"one of {len(values) - MOST_NAMED} more"] if len(values) > MOST_NAMED else []
    return " or ".join([*named, *more])


def shown(text: str, most: int = 60) -> str:
    """The text, cut to `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
