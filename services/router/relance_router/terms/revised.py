"""More becomes known of a lead that nobody has answered: the shorter window that it falls under by now holds for it.

Who has the lead keeps it, in the working time of their team. A window never becomes longer because of what is said of a
lead, and one in which somebody has answered stays.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import LeadReceived
from relance.ids import LeadId, NewId
from relance_router.configuration.versions import ConfigurationVersions, Running
from relance_router.domain.lead_facts import lead_facts
from relance_router.domain.rules import match
from relance_router.domain.terms import PromisedBy, terms_under
from relance_router.terms.assignments import COLUMNS, Change, OpenAssignment, Why, store_changes, time_now
from relance_router.terms.promises import former

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
    """Give these leads, as they are known now, the terms of the rule that fits them, where its window is shorter."""
    found = [OpenAssignment.of(row) for row in await connection.execute(_UNANSWERED, {"leads": list(leads)})]
    made_with = await former(connection, versions, (assignment.terms_of for assignment in found))
    now = await time_now(connection)
    changes: list[Change] = []
    for assignment in found:
        rule = match(running.configuration, lead_facts(leads[assignment.lead_id]))
        by = PromisedBy(rule.rule, rule.arm, assignment.by.team, assignment.by.rep)
        wanted = terms_under(running.configuration, by)
        before = made_with[assignment.terms_of]
        had = terms_under(before, assignment.by) if before else None
        if wanted and had and wanted.windows["response"] < had.windows["response"]:
            change = Change(
                replace(assignment, by=by),
                assignment.with_done_by_hand(had),
                assignment.with_done_by_hand(wanted),
                running.version,
                now,
            )
            changes.append(change)
    await store_changes(connection, changes, Why("revised"), compared_with=running.version, new_id=new_id)
