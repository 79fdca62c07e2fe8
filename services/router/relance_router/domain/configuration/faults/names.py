"""Names that nobody bears."""

from collections.abc import Iterator

from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.faults.fault import Fault
from relance_router.domain.configuration.faults.places import conditions, destinations
from relance_router.domain.configuration.field_types import Path

_Named = tuple[Path, str | None]


def unknown_names(configuration: Configuration) -> Iterator[Fault]:
    """Wherever one entry names another."""
    territories = {territory.id for territory in configuration.territories}
    for kind, named, known in (
        ("rep", _reps(configuration), configuration.reps_by_id.keys()),
        ("team", _teams(configuration), configuration.teams_by_id.keys()),
        ("escalation policy", _policies(configuration), configuration.policies_by_id.keys()),
        ("calendar", _calendars(configuration), configuration.calendars_by_id.keys()),
        ("contact", _contacts(configuration), configuration.contacts_by_id.keys()),
        ("territory", _territories(configuration), territories),
    ):
        for path, name in named:
            if name is not None and name not in known:
                yield Fault(path, f"there is no {kind} {name!r}")
    if configuration.sources:
        for path, name in _sources(configuration):
            if name.casefold() not in configuration.sources:
                yield Fault(path, f"there is no source {name!r} in sources")


def _reps(configuration: Configuration) -> Iterator[_Named]:
    for place, team in enumerate(configuration.teams):
        for at, member in enumerate(team.members):
            yield ("teams", place, "members", at, "rep"), member.rep
    for place, account in enumerate(configuration.accounts):
        yield ("accounts", place, "owner"), account.owner


def _teams(configuration: Configuration) -> Iterator[_Named]:
    for place, team in enumerate(configuration.teams):
        yield ("teams", place, "overflow"), team.overflow
    for destination in destinations(configuration):
        yield (*destination.path, "team"), destination.team


def _policies(configuration: Configuration) -> Iterator[_Named]:
    for place, rule in enumerate(configuration.rules):
        yield ("rules", place, "escalation"), rule.escalation
        for at, arm in enumerate(rule.split):
            yield ("rules", place, "split", at, "escalation"), arm.escalation
    yield ("fallback", "escalation"), configuration.fallback.escalation


def _contacts(configuration: Configuration) -> Iterator[_Named]:
    for place, policy in enumerate(configuration.escalation_policies):
        for at, step in enumerate(policy.steps):
            for number, name in enumerate(step.to):
                yield ("escalation_policies", place, "steps", at, "to", number), name


def _calendars(configuration: Configuration) -> Iterator[_Named]:
    for place, rep in enumerate(configuration.reps):
        yield ("reps", place, "calendar"), rep.calendar
    for place, team in enumerate(configuration.teams):
        yield ("teams", place, "calendar"), team.calendar
    for place, policy in enumerate(configuration.escalation_policies):
        yield ("escalation_policies", place, "quiet_outside"), policy.quiet_outside
    for path, condition in conditions(configuration):
        if condition.received:
            yield (*path, "received", "during"), condition.received.during
            yield (*path, "received", "outside"), condition.received.outside


def _territories(configuration: Configuration) -> Iterator[_Named]:
    for place, rep in enumerate(configuration.reps):
        for at, name in enumerate(rep.territories):
            yield ("reps", place, "territories", at), name
    for path, condition in conditions(configuration):
        for at, name in enumerate((condition.territory and condition.territory.in_) or ()):
            yield (*path, "territory", "in", at), name


def _sources(configuration: Configuration) -> Iterator[tuple[Path, str]]:
    for at, name in enumerate(configuration.same_person.except_sources if configuration.same_person else ()):
        yield ("same_person", "except_sources", at), name
    for path, condition in conditions(configuration):
        if condition.source:
            if condition.source.equals is not None:
                yield (*path, "source", "equals"), condition.source.equals
            for at, name in enumerate(condition.source.in_ or ()):
                yield (*path, "source", "in", at), name
