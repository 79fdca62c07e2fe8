"""Which rule a lead falls under: the first whose every condition holds."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from relance_router.domain.conditions import Circumstances, failure
from relance_router.domain.configuration import Configuration, Promise, Rule
from relance_router.domain.lead_facts import LeadFacts
from relance_router.domain.territories import territories_of

FALLBACK = "fallback"
"""The name under which the fallback appears where a rule's would."""


@dataclass(frozen=True)
class RuleTried:
    """One rule looked at, and the first condition that did not hold; None when all did."""

    rule: str
    failed: str | None


@dataclass(frozen=True)
class Match:
    """The promise that a lead falls under, by which rule, and the rules tried on the way."""

    rule: str
    promise: Promise
    tried: Sequence[RuleTried]
    arm: int | None = None
    """Which arm of the rule's split, from 0; None without a split."""


def match(configuration: Configuration, lead: LeadFacts) -> Match:
    """Try the rules in order, then the fallback."""
    circumstances = Circumstances(lead, territories_of(lead, configuration.territories), configuration.calendars_by_id)
    tried: list[RuleTried] = []
    for rule in configuration.rules:
        failed = failure(rule.when, circumstances)
        tried.append(RuleTried(rule.id, failed))
        if failed is None:
            arm = arm_of(rule, lead.identity)
            return Match(rule.id, rule.promises[arm or 0], tried, arm)
    return Match(FALLBACK, configuration.fallback, tried)


def arm_of(rule: Rule, identity: str) -> int | None:
    """The arm for a person: by a hash of rule and person, so that it stays the same and rules are independent."""
    if not rule.split:
        return None
    digest = hashlib.sha256(f"{rule.id}\0{identity}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    passed = 0.0
    for place, arm in enumerate(rule.split):
        passed += arm.share
        if point < passed:
            return place
    return len(rule.split) - 1
