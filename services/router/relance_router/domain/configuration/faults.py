"""What a configuration of the right shape may still have wrong."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.field_types import Path


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where in the document."""

    path: Path
    reason: str


def faults(configuration: Configuration) -> list[Fault]:
    """Double ids and names that nobody bears."""
    return [*_doubles(configuration), *_dangling(configuration)]


def _doubles(configuration: Configuration) -> Iterator[Fault]:
    for section in ("reps", "teams", "escalation_policies", "rules"):
        ids = [entry.id for entry in getattr(configuration, section)]
        for place, name in enumerate(ids):
            if name in ids[:place]:
                yield Fault((section, place, "id"), f"{name!r} is defined twice in {section}")
    for place, team in enumerate(configuration.teams):
        for rep, count in Counter(member.rep for member in team.members).items():
            if count > 1:
                yield Fault(("teams", place, "members"), f"{rep!r} is in team {team.id!r} {count} times")
    for place, policy in enumerate(configuration.escalation_policies):
        for name, count in Counter(step.name for step in policy.steps).items():
            if count > 1:
                yield Fault(("escalation_policies", place, "steps"), f"step {name!r} is there {count} times")


def _dangling(configuration: Configuration) -> Iterator[Fault]:
    for place, team in enumerate(configuration.teams):
        for member_place, member in enumerate(team.members):
            if member.rep not in configuration.reps_by_id:
                yield Fault(("teams", place, "members", member_place, "rep"), f"there is no rep {member.rep!r}")
    named: list[tuple[Path, str | None, str | None]] = [
        (("fallback",), configuration.fallback.team, configuration.fallback.escalation)
    ]
    for place, rule in enumerate(configuration.rules):
        named.append((("rules", place), rule.team, rule.escalation))
        named += [(("rules", place, "split", at), arm.team, arm.escalation) for at, arm in enumerate(rule.split)]
    for path, team_id, policy in named:
        if team_id is not None and team_id not in configuration.teams_by_id:
            yield Fault((*path, "team"), f"there is no team {team_id!r}")
        if policy is not None and policy not in configuration.policies_by_id:
            yield Fault((*path, "escalation"), f"there is no escalation policy {policy!r}")
