"""Steps that new terms have overtaken on their way here: nobody is told, and they fire again at their new time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import SkippedStep, StepFired
from relance.ids import AssignmentId, NewId
from relance_router.configuration.versions import ConfigurationVersions, Running
from relance_router.domain.terms import hold_at
from relance_router.terms.assignments import COLUMNS, Because, OpenAssignment, Why, store_changes, time_now
from relance_router.terms.promises import brought, former

_READ = text(f"""
    SELECT {COLUMNS} FROM assignments a JOIN leads l ON l.id = a.lead_id
    WHERE a.id = ANY(CAST(:ids AS uuid[])) ORDER BY a.id
""")


async def skip(
    connection: AsyncConnection,
    versions: ConfigurationVersions,
    running: Running,
    steps: Sequence[StepFired],
    new_id: NewId,
) -> None:
    """Tell the SLA monitor, with the terms that hold. The assignments of these steps are locked, and have not ended.

    Where this release cannot read the configuration that the terms are of, a step is skipped for good.
    """
    skipped: dict[AssignmentId, list[SkippedStep]] = defaultdict(list)
    for step in steps:
        skipped[step.assignment_id].append(
            SkippedStep(clock=step.clock, step=step.step, occurrence=step.occurrence, due_at=step.due_at)
        )
    found = [OpenAssignment.of(row) for row in await connection.execute(_READ, {"ids": sorted(skipped)})]
    made_with = await former(connection, versions, (assignment.terms_of for assignment in found))
    now = await time_now(connection)
    for assignment in found:
        change = brought(made_with[assignment.terms_of], running, assignment, now)
        if change:
            told = replace(change, skipped=tuple(skipped[assignment.id]))
            why = Why(_because(assignment, now))
            await store_changes(connection, [told], why, compared_with=running.version, new_id=new_id)


def _because(assignment: OpenAssignment, now: datetime) -> Because:
    """Why there is more time than when the step fired."""
    if hold_at(assignment.holds, now):
        return "held"
    if assignment.extended:
        return "extended"
    return "released" if assignment.holds else "configuration"
