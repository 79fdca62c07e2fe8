"""Steps of an escalation policy that stand in another order than they happen in."""

from collections.abc import Iterator
from itertools import pairwise

from relance.events.assignment import ClockName
from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.escalation import EscalationPolicy, PolicyStep
from relance_router.domain.configuration.faults.fault import Fault, Severity
from relance_router.domain.configuration.field_types import Path


def misplaced_steps(configuration: Configuration) -> Iterator[Fault]:
    """As warnings: whatever their order in the file, steps happen when they fall due."""
    for place, policy in enumerate(configuration.escalation_policies):
        path: Path = ("escalation_policies", place, "steps")
        for at, (earlier, later) in enumerate(pairwise(policy.steps)):
            if _always_before(later, earlier):
                reason = f"step {later.name!r} falls due before {earlier.name!r}, which stands above it"
                yield Fault((*path, at + 1), reason, Severity.WARNING, other=(*path, at))
        yield from _early_reassignments(policy, path)


def silent_steps(configuration: Configuration) -> Iterator[Fault]:
    """As warnings: steps of a clock that never runs, because no rule with their policy gives it a window."""
    running: set[tuple[str, ClockName]] = set()
    for promise in (configuration.fallback, *(promise for rule in configuration.rules for promise in rule.promises)):
        running.add((promise.escalation, "response"))
        if promise.contact_within:
            running.add((promise.escalation, "contact"))
        if promise.decide_within:
            running.add((promise.escalation, "disposition"))
    used = {policy for policy, _ in running}
    for place, policy in enumerate(configuration.escalation_policies):
        for at, step in enumerate(policy.steps):
            if policy.id in used and (policy.id, step.clock) not in running:
                window = "contact_within" if step.clock == "contact" else "decide_within"
                reason = (
                    f"step {step.name!r} never happens: no rule with escalation {policy.id!r} gives {window}, in which "
                    f"the {step.clock} clock counts"
                )
                yield Fault(("escalation_policies", place, "steps", at, "clock"), reason, Severity.WARNING)


def _early_reassignments(policy: EscalationPolicy, path: Path) -> Iterator[Fault]:
    breaches = [(at, step) for at, step in enumerate(policy.steps) if step.action == "breach"]
    for at, step in enumerate(policy.steps):
        for breach_at, breach in breaches:
            if step.action == "reassign" and step.clock == breach.clock and _always_before(step, breach):
                reason = f"step {step.name!r} takes the lead away before {breach.name!r}: the rep's time is not up"
                yield Fault((*path, at), reason, Severity.WARNING, other=(*path, breach_at))


def _always_before(one: PolicyStep, other: PolicyStep) -> bool:
    """Whatever the window; of different clocks nobody can tell."""
    if one.clock != other.clock:
        return False
    return one.at <= other.at and one.after <= other.after and (one.at, one.after) != (other.at, other.after)
