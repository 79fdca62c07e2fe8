"""More becomes known of a lead that nobody has answered: the shorter windows that it falls under by now hold for it.

Who has the lead keeps it, in the working time of their team. No window becomes longer because of what is said of a
lead, none is over before its rep could know of it, and one in which somebody has answered stays.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import LeadReceived
from relance.events.assignment import ClockName
from relance.ids import LeadId, NewId
from relance_router.configuration.versions import ConfigurationVersions, Running
from relance_router.domain.lead_facts import lead_facts
from relance_router.domain.rules import match
from relance_router.domain.terms import PromisedBy, Terms, passed, terms_under
from relance_router.terms.assignments import COLUMNS, Change, OpenAssignment, Why, store_changes, time_now
from relance_router.terms.promises import brought, former

# The leads are locked by the caller.
_UNANSWERED = text(f"""
    SELECT {COLUMNS} FROM assignments a JOIN leads l ON l.id = a.lead_id
    WHERE a.lead_id = ANY(CAST(:leads AS uuid[])) AND a.ended_at IS NULL AND a.state = 'open' AND a.disposition IS NULL
    ORDER BY a.lead_id FOR UPDATE OF a
""")


async def shorten(
    connection: AsyncConnection,
    versions: ConfigurationVersions,
    running: Running,
    leads: Mapping[LeadId, LeadReceived],
    new_id: NewId,
) -> None:
    """Give these leads, as they are known now, the terms of the rule that fits them, where a window of it is shorter.

    Each clock keeps the shorter window of the two; and the one that it has where the shorter one would be over by now.
    """
    found = [OpenAssignment.of(row) for row in await connection.execute(_UNANSWERED, {"leads": list(leads)})]
    made_with = await former(connection, versions, (assignment.terms_of for assignment in found))
    now = await time_now(connection)
    changes: list[Change] = []
    for assignment in found:
        rule = match(running.configuration, lead_facts(leads[assignment.lead_id]))
        by = PromisedBy(rule.rule, rule.arm, assignment.by.team, assignment.by.rep)
        wanted = terms_under(running.configuration, by)
        standing = brought(made_with[assignment.terms_of], running, assignment, now)
        if wanted and standing and (shorter := _shorter(standing, wanted)):
            given = replace(standing.assignment, by=by, windows={**standing.after.windows, **shorter})
            after = given.with_its_own(wanted)
            changes.append(replace(standing, assignment=given, after=after, terms_of=running.version))
    await store_changes(connection, changes, Why("revised"), compared_with=running.version, new_id=new_id)


def _shorter(standing: Change, wanted: Terms) -> Mapping[ClockName, timedelta]:
    """The wanted windows that are shorter than those that stand, or than none, and are not over by now."""
    assignment = standing.assignment
    due = replace(assignment, windows=None).with_its_own(wanted).deadlines(assignment.assigned_at)
    return {
        clock: window
        for clock, window in wanted.windows.items()
        if window < standing.after.windows.get(clock, timedelta.max) and not passed(due[clock], standing.at)
    }
