"""Requirements that nobody in the team meets: every lead would stand unrouted."""

from collections.abc import Iterator

from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.faults.fault import Fault
from relance_router.domain.configuration.faults.places import Destination, destinations
from relance_router.domain.configuration.people import Rep


def unmet_requirements(configuration: Configuration) -> Iterator[Fault]:
    """For each team that leads are sent to."""
    for destination in destinations(configuration):
        team = configuration.teams_by_id.get(destination.team)
        if team is not None:
            reps = [configuration.reps_by_id[each.rep] for each in team.members if each.rep in configuration.reps_by_id]
            yield from _unmet(destination, reps)


def _unmet(destination: Destination, reps: list[Rep]) -> Iterator[Fault]:
    require, path, team = destination.require, destination.require_path, destination.team
    for skill in require.skills:
        if not any(skill in rep.skills for rep in reps):
            yield Fault((*path, "skills"), f"nobody in team {team!r} has the skill {skill!r}")
    if not all(any(skill in rep.skills for rep in reps) for skill in require.skills):
        return
    if len(require.skills) > 1 and not any(set(require.skills) <= set(rep.skills) for rep in reps):
        yield Fault((*path, "skills"), f"nobody in team {team!r} has all of {', '.join(require.skills)}")
    if require.territory and not any(rep.territories for rep in reps):
        yield Fault((*path, "territory"), f"nobody in team {team!r} has territories")
    if require.language:
        spoken = {language for rep in reps for language in rep.languages}
        if not spoken:
            yield Fault((*path, "language"), f"nobody in team {team!r} has languages")
            return
        for language in sorted(_languages(destination) - spoken):
            yield Fault((*path, "language"), f"nobody in team {team!r} speaks {language!r}, which this rule is for")


def _languages(destination: Destination) -> frozenset[str]:
    """The only languages that its leads can have; nothing when that cannot be told."""
    if destination.rule is None:
        return frozenset()
    asked = dict(destination.rule.when.compared).get(str(destination.require.language))
    return (asked.values if asked else None) or frozenset()
