"""Assignments as their reps see them: read without a lock, for a page that changes nothing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import LeadReceived
from relance.events.response import Disposition
from relance.ids import AssignmentId
from relance_router.domain.answers import AssignmentState
from relance_router.domain.dispositions import Judgement
from relance_router.routing.offers import state_of_offer

_READ = text("""
    SELECT true AS assigned, a.state, a.rep, a.why, a.respond_by, a.disposition, d.reason, d.note, l.data, now() AS now
    FROM assignments a
    JOIN leads l ON l.id = a.lead_id
    LEFT JOIN LATERAL (
        SELECT reason, note FROM dispositions WHERE assignment_id = a.id ORDER BY sequence DESC LIMIT 1
    ) d ON true
    WHERE a.id = :id
    UNION ALL
    SELECT false, o.state, o.rep, 'offered to team ' || o.team || ': the first to claim it gets it', o.until,
        NULL, NULL, NULL, l.data, now()
    FROM offers o JOIN leads l ON l.id = o.lead_id WHERE o.id = :id AND o.state <> 'claimed'
""")


class UnknownAssignment(LookupError):
    """There is no such assignment."""

    def __init__(self, assignment: AssignmentId) -> None:
        super().__init__(f"There is no assignment {assignment}.")


@dataclass(frozen=True)
class SeenAssignment:
    """An assignment or an offer, with its lead. `now` is the database's time, to be compared with `respond_by`."""

    state: AssignmentState
    judgement: Judgement | None
    rep: str
    why: str
    respond_by: datetime
    now: datetime
    lead: LeadReceived

    @property
    def disposition(self) -> Disposition | None:
        """What was said last of the lead's worth."""
        return self.judgement.disposition if self.judgement else None


async def read_assignment(connection: AsyncConnection, assignment: AssignmentId) -> SeenAssignment:
    """The assignment as it stands.

    Raises:
        UnknownAssignment: there is no such assignment.
    """
    row = (await connection.execute(_READ, {"id": assignment})).one_or_none()
    if row is None:
        raise UnknownAssignment(assignment)
    return SeenAssignment(
        state=AssignmentState(row.state) if row.assigned else state_of_offer(row.state),
        judgement=Judgement(row.disposition, row.reason, row.note) if row.disposition else None,
        rep=row.rep,
        why=row.why,
        respond_by=row.respond_by,
        now=row.now,
        lead=LeadReceived.model_validate(row.data),
    )
