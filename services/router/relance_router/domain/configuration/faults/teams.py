"""Teams in which nobody can take a lead, or to which none can come."""

from collections.abc import Iterator

from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.faults.fault import Fault, Severity
from relance_router.domain.configuration.faults.places import destinations


def team_faults(configuration: Configuration) -> Iterator[Fault]:
    """Overflow that comes round again; and as warnings, teams and reps that do nothing."""
    yield from _circles(configuration)
    yield from _nobody_there(configuration)
    yield from _idle(configuration)


def _circles(configuration: Configuration) -> Iterator[Fault]:
    told: set[str] = set()
    for place, team in enumerate(configuration.teams):
        way = [team.id]
        following = configuration.teams_by_id.get(team.overflow or "")
        while following and following.id not in way:
            way.append(following.id)
            following = configuration.teams_by_id.get(following.overflow or "")
        if following and following.id == team.id and team.id not in told:
            told |= set(way)
            yield Fault(("teams", place, "overflow"), f"overflow goes in a circle: {' -> '.join([*way, team.id])}")


def _nobody_there(configuration: Configuration) -> Iterator[Fault]:
    for place, team in enumerate(configuration.teams):
        reps = [configuration.reps_by_id.get(member.rep) for member in team.members]
        if all(rep is not None and not rep.available for rep in reps):
            reason = f"nobody in team {team.id!r} is ever available: its leads will wait"
            yield Fault(("teams", place, "members"), reason, Severity.WARNING)


def _idle(configuration: Configuration) -> Iterator[Fault]:
    wanted = {destination.team for destination in destinations(configuration)}
    wanted |= {team.overflow for team in configuration.teams if team.overflow and team.overflow != team.id}
    for place, team in enumerate(configuration.teams):
        if team.id not in wanted:
            yield Fault(("teams", place, "id"), f"no rule sends leads to team {team.id!r}", Severity.WARNING)
    busy = {member.rep for team in configuration.teams for member in team.members}
    busy |= {account.owner for account in configuration.accounts}
    for place, rep in enumerate(configuration.reps):
        if rep.id not in busy:
            yield Fault(("reps", place, "id"), f"rep {rep.id!r} is in no team and gets no leads", Severity.WARNING)
