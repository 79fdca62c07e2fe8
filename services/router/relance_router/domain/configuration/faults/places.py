"""Walks over a configuration that several kinds of fault share."""

from collections.abc import Iterator
from dataclasses import dataclass

from relance_router.domain.configuration.conditions import Condition
from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.field_types import Path
from relance_router.domain.configuration.promises import Requirements, Rule


@dataclass(frozen=True)
class Destination:
    """A place that sends leads to a team."""

    path: Path
    team: str
    escalation: str | None
    require: Requirements
    require_path: Path
    rule: Rule | None
    """None for the fallback."""


def destinations(configuration: Configuration) -> Iterator[Destination]:
    """Every rule's team or arms, then the fallback."""
    for place, rule in enumerate(configuration.rules):
        path: Path = ("rules", place)
        require_path = (*path, "require")
        if rule.team:
            yield Destination(path, rule.team, rule.escalation, rule.require, require_path, rule)
        for at, arm in enumerate(rule.split):
            yield Destination((*path, "split", at), arm.team, arm.escalation, rule.require, require_path, rule)
    fallback = configuration.fallback
    yield Destination(
        ("fallback",), fallback.team, fallback.escalation, fallback.require, ("fallback", "require"), None
    )


def conditions(configuration: Configuration) -> Iterator[tuple[Path, Condition]]:
    """Every condition of every rule, also the nested ones."""
    for place, rule in enumerate(configuration.rules):
        yield from _within(("rules", place, "when"), rule.when)


def _within(path: Path, condition: Condition) -> Iterator[tuple[Path, Condition]]:
    yield path, condition
    for key, nested in (("all", condition.all), ("any", condition.any), ("none", condition.none)):
        for place, each in enumerate(nested or ()):
            yield from _within((*path, key, place), each)
