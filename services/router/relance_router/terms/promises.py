"""What was promised for an open assignment, and what the configuration that runs promises for it."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from relance_router.configuration.routing_file import ConfigurationRefused
from relance_router.configuration.versions import ConfigurationVersions, Running
from relance_router.domain.configuration import Configuration
from relance_router.domain.rules import arm_of
from relance_router.domain.terms import PromisedBy, over, terms_under
from relance_router.terms.assignments import Change, OpenAssignment


async def former(connection: AsyncConnection, versions: ConfigurationVersions, version: int) -> Configuration | None:
    """A configuration that ran; None when this release cannot read it any more."""
    try:
        return (await versions.version(connection, version)).configuration
    except ConfigurationRefused:
        return None


def arm_unknown(made_with: Configuration, by: PromisedBy) -> bool:
    """Whether the assignment was made by a release that did not store the arm of the rule's split."""
    rule = made_with.rules_by_id.get(by.rule)
    return by.arm is None and rule is not None and bool(rule.split)


async def brought(
    connection: AsyncConnection,
    versions: ConfigurationVersions,
    running: Running,
    assignment: OpenAssignment,
    now: datetime,
) -> Change | None:
    """The change that gives an assignment the terms of the running version.

    It leaves those that it has when the version has none for it, or no clock runs any more: none begins anew. None when
    those cannot be read either.
    """
    made_with = await former(connection, versions, assignment.terms_of)
    if made_with and arm_unknown(made_with, assignment.by):
        arm = arm_of(made_with.rules_by_id[assignment.by.rule], assignment.identity)
        assignment = replace(assignment, by=replace(assignment.by, arm=arm))
    had = terms_under(made_with, assignment.by) if made_with else None
    wanted = terms_under(running.configuration, assignment.by)
    before = assignment.with_done_by_hand(had) if had else None
    if wanted and not (had and over(had, assignment.state)):
        return Change(assignment, before, assignment.with_done_by_hand(wanted), running.version, now)
    return Change(assignment, before, before, assignment.terms_of, now) if before else None
