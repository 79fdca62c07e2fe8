"""What was promised for an open assignment, and what the configuration that runs promises for it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from relance_router.configuration.routing_file import ConfigurationRefused
from relance_router.configuration.versions import ConfigurationVersions, Running
from relance_router.domain.configuration import Configuration
from relance_router.domain.rules import arm_of
from relance_router.domain.terms import PromisedBy, over, terms_under
from relance_router.terms.assignments import Change, OpenAssignment


async def former(
    connection: AsyncConnection, versions: ConfigurationVersions, wanted: Iterable[int]
) -> Mapping[int, Configuration | None]:
    """Configurations that ran, by version; None for what this release cannot read any more. Each is tried once."""
    found: dict[int, Configuration | None] = {}
    for version in sorted(set(wanted)):
        try:
            found[version] = (await versions.version(connection, version)).configuration
        except ConfigurationRefused:
            found[version] = None
    return found


def arm_unknown(made_with: Configuration, by: PromisedBy) -> bool:
    """Whether the assignment was made by a release that did not store the arm of the rule's split."""
    rule = made_with.rules_by_id.get(by.rule)
    return by.arm is None and rule is not None and bool(rule.split)


def brought(
    made_with: Configuration | None, running: Running, assignment: OpenAssignment, now: datetime
) -> Change | None:
    """The change that gives an assignment, whose terms are of `made_with`, those of the running version.

    Each of its own windows holds until that of its rule is edited. It leaves the terms that it has when the version has
    none for it, or no clock runs any more: none begins anew. None when those cannot be read either.
    """
    if made_with and arm_unknown(made_with, assignment.by):
        arm = arm_of(made_with.rules_by_id[assignment.by.rule], assignment.identity)
        assignment = replace(assignment, by=replace(assignment.by, arm=arm))
    had = terms_under(made_with, assignment.by) if made_with else None
    wanted = terms_under(running.configuration, assignment.by)
    before = assignment.with_its_own(had) if had else None
    if wanted and not (before and over(before, assignment.state)):
        if had and assignment.windows is not None:
            edited = {clock: each for clock, each in wanted.windows.items() if each != had.windows.get(clock)}
            assignment = replace(assignment, windows={**assignment.windows, **edited})
        return Change(assignment, before, assignment.with_its_own(wanted), running.version, now)
    return Change(assignment, before, before, assignment.terms_of, now) if before else None
