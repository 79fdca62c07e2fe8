"""Which rule a lead falls under: the first whose every condition holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relance_router.domain.configuration import Configuration, Promise, Rule

FALLBACK = "fallback"
"""The name under which the fallback appears where a rule's would."""


@dataclass(frozen=True)
class RuleTried:
    """One rule looked at, and the first condition that did not hold; None when all did."""

    rule: str
    failed: str | None


@dataclass(frozen=True)
class Match:
    """The promise a lead falls under, None when nothing fits, and the rules tried on the way."""

    rule: str | None
    promise: Promise | None
    tried: Sequence[RuleTried]


def match(configuration: Configuration, lead: Mapping[str, str]) -> Match:
    """Try the rules in order, then the fallback. `lead` maps field names to values; missing ones are absent."""
    tried: list[RuleTried] = []
    for rule in configuration.rules:
        failed = _first_failure(rule, lead)
        tried.append(RuleTried(rule.id, failed))
        if failed is None:
            return Match(rule.id, rule, tried)
    if configuration.fallback:
        return Match(FALLBACK, configuration.fallback, tried)
    return Match(None, None, tried)


def _first_failure(rule: Rule, lead: Mapping[str, str]) -> str | None:
    for name, wanted in rule.when.items():
        values = (wanted,) if isinstance(wanted, str) else wanted
        actual = lead.get(name)
        if actual is None or actual.casefold() not in {value.casefold() for value in values}:
            return f"{name} is {actual or 'not given'}, wanted {' or '.join(values)}"
    return None
