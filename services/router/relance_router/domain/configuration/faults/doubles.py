"""What stands twice and may only once."""

from collections.abc import Iterable, Iterator

from relance_router.domain.configuration.configuration import Configuration
from relance_router.domain.configuration.faults.fault import Fault
from relance_router.domain.configuration.field_types import Path

_SECTIONS = ("calendars", "reps", "teams", "territories", "accounts", "contacts", "escalation_policies", "rules")
_FALLBACK = "fallback"


def doubles(configuration: Configuration) -> Iterator[Fault]:
    """Ids within their section, members of a team, steps of a policy, and domains of accounts."""
    for section in _SECTIONS:
        ids = [((section, place, "id"), entry.id) for place, entry in enumerate(getattr(configuration, section))]
        yield from _repeated(ids, f"is defined twice in {section}")
    yield from _repeated(
        [(("sources", place), name) for place, name in enumerate(configuration.sources)], "stands twice"
    )
    for place, team in enumerate(configuration.teams):
        members = [(("teams", place, "members", at, "rep"), member.rep) for at, member in enumerate(team.members)]
        yield from _repeated(members, f"is in team {team.id!r} twice")
    for place, policy in enumerate(configuration.escalation_policies):
        steps = [
            (("escalation_policies", place, "steps", at, "name"), step.name) for at, step in enumerate(policy.steps)
        ]
        yield from _repeated(steps, "is the name of another step too")
        for at, step in enumerate(policy.steps):
            for key in ("to", "via"):
                told = [
                    (("escalation_policies", place, "steps", at, key, n), each)
                    for n, each in enumerate(getattr(step, key))
                ]
                yield from _repeated(told, "stands twice")
    domains: list[tuple[Path, str]] = [
        (("accounts", place, "domains", at), domain)
        for place, account in enumerate(configuration.accounts)
        for at, domain in enumerate(account.domains)
    ]
    yield from _repeated(domains, "belongs to an account already")
    for place, rule in enumerate(configuration.rules):
        if rule.id == _FALLBACK:
            yield Fault(
                ("rules", place, "id"), f"{_FALLBACK!r} is what the fallback is called: give the rule another id"
            )


def _repeated(entries: Iterable[tuple[Path, str]], reason: str) -> Iterator[Fault]:
    first: dict[str, Path] = {}
    for path, name in entries:
        if name in first:
            yield Fault(path, f"{name!r} {reason}", other=first[name])
        first.setdefault(name, path)
