"""Steps that tell somebody who cannot be told so, or that are never told."""

from collections.abc import Iterator, Mapping, Sequence

from relance.events.assignment import TELLING
from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.contacts import Reachable
from relance_router.domain.configuration.escalation import PolicyStep
from relance_router.domain.configuration.faults.fault import Fault, Severity
from relance_router.domain.configuration.faults.hours import has_hours
from relance_router.domain.configuration.faults.places import destinations
from relance_router.domain.configuration.field_types import Path


def missing_ways(configuration: Configuration) -> Iterator[Fault]:
    """A step's `via` that one of those whom it tells does not have."""
    teams = _teams_by_policy(configuration)
    for place, policy in enumerate(configuration.escalation_policies):
        for at, step in enumerate(policy.steps):
            told = _told(configuration, step, teams.get(policy.id, ()))
            for number, way in enumerate(step.via):
                path: Path = ("escalation_policies", place, "steps", at, "via", number)
                for who, reachable in told.items():
                    if not reachable.has(way):
                        yield Fault(path, f"step {step.name!r} tells {who} by {way}, which they do not have")


def never_told(configuration: Configuration) -> Iterator[Fault]:
    """As warnings: contacts whom no step tells, quiet hours that nothing keeps, and hours in which nobody is told."""
    wanted = {name for policy in configuration.escalation_policies for step in policy.steps for name in step.to}
    for place, contact in enumerate(configuration.contacts):
        if contact.id not in wanted:
            reason = f"contact {contact.id!r} is never told: no step names it in `to`"
            yield Fault(("contacts", place, "id"), reason, Severity.WARNING)
    for place, policy in enumerate(configuration.escalation_policies):
        path: Path = ("escalation_policies", place)
        quiet = configuration.calendars_by_id.get(policy.quiet_outside or "")
        waiting = [step for step in policy.steps if step.action in TELLING and not step.urgent]
        if policy.quiet_outside and not waiting:
            reason = f"quiet_outside changes nothing: no step of {policy.id!r} tells anybody who may wait"
            yield Fault((*path, "quiet_outside"), reason, Severity.WARNING)
        elif quiet and not has_hours(quiet):
            reason = f"calendar {quiet.id!r} has no hours: policy {policy.id!r} has no quiet hours, all is told at once"
            yield Fault((*path, "quiet_outside"), reason, Severity.WARNING)
        for at, step in enumerate(policy.steps):
            if step.urgent and not policy.quiet_outside:
                reason = f"urgent changes nothing for step {step.name!r}: policy {policy.id!r} has no quiet hours"
                yield Fault((*path, "steps", at, "urgent"), reason, Severity.WARNING)


def _teams_by_policy(configuration: Configuration) -> Mapping[str, list[str]]:
    """The teams whose leads may be escalated by each policy, also those that they overflow to."""
    found: dict[str, list[str]] = {}
    for destination in destinations(configuration):
        teams = found.setdefault(destination.escalation or "", [])
        team = configuration.teams_by_id.get(destination.team)
        while team and team.id not in teams:
            teams.append(team.id)
            team = configuration.teams_by_id.get(team.overflow or "")
    return found


def _told(configuration: Configuration, step: PolicyStep, teams: Sequence[str]) -> Mapping[str, Reachable]:
    """Whom a step tells, by what the fault calls them."""
    if step.action == "notify":
        contacts = configuration.contacts_by_id
        return {f"contact {name!r}": contacts[name] for name in step.to if name in contacts}
    known = [configuration.teams_by_id[team] for team in teams]
    if step.action == "notify_manager":
        return {f"the manager of team {team.id!r}": team.manager for team in known}
    reps = configuration.reps_by_id
    return {f"rep {each.rep!r}": reps[each.rep] for team in known for each in team.members if each.rep in reps}
