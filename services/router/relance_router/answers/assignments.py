"""Assignments as their reps see them: read without a lock, for a page that changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import sealed
from relance.events import Hold, LeadReceived
from relance.events.response import Disposition
from relance.ids import AssignmentId
from relance_router.domain.answers import AssignmentState
from relance_router.domain.dispositions import Judgement
from relance_router.domain.terms import hold_at
from relance_router.routing.offers import state_of_offer

_READ = text("""
    SELECT true AS assigned, CASE WHEN l.erased_at IS NULL THEN a.state ELSE 'erased' END AS state,
        a.rep, a.why, a.respond_by, a.disposition, d.reason, d.note, l.data, now() AS now,
        l.id AS lead_id, a.holds, h.by AS held_by, h.reason AS held_because
    FROM assignments a
    JOIN leads l ON l.id = a.lead_id
    LEFT JOIN LATERAL (
        SELECT reason, note FROM dispositions WHERE assignment_id = a.id ORDER BY sequence DESC LIMIT 1
    ) d ON true
    LEFT JOIN LATERAL (
        SELECT by, reason FROM interventions
        WHERE lead_id = a.lead_id AND assignment_id = a.id AND what = 'held' ORDER BY at DESC LIMIT 1
    ) h ON a.holds <> '[]'
    WHERE a.id = :id
    UNION ALL
    SELECT false, CASE WHEN l.erased_at IS NULL THEN o.state ELSE 'erased' END,
        o.rep, 'offered to team ' || o.team || ': the first to claim it gets it', o.until,
        NULL, NULL, NULL, l.data, now(), l.id, '[]', NULL, NULL
    FROM offers o JOIN leads l ON l.id = o.lead_id WHERE o.id = :id AND o.state <> 'claimed'
""")


_TOUCHES = text("""
    SELECT data FROM (
        SELECT id, data FROM leads WHERE joined = :lead AND erased_at IS NULL ORDER BY id DESC LIMIT 50
    ) newest
    ORDER BY id
""")


class UnknownAssignment(LookupError):
    """There is no such assignment."""

    def __init__(self, assignment: AssignmentId) -> None:
        super().__init__(f"There is no assignment {assignment}.")


@dataclass(frozen=True)
class OnHold:
    """Nobody waits for an answer now: who said so, why, and until when; None: until it is released."""

    by: str
    reason: str
    until: datetime | None


@dataclass(frozen=True)
class SeenAssignment:
    """An assignment or an offer, with its lead. `now` is the database's time, to be compared with `respond_by`.

    `respond_by` is None while it is not known because of a hold.
    """

    state: AssignmentState
    judgement: Judgement | None
    rep: str
    why: str
    respond_by: datetime | None
    now: datetime
    lead: LeadReceived
    on_hold: OnHold | None = None
    touches: tuple[LeadReceived, ...] = ()
    """Leads of the same person that have joined it, the newest fifty, the oldest of them first."""

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
    note = None if row.note is None else sealed(connection).open(row.note)
    touches = await connection.execute(_TOUCHES, {"lead": row.lead_id})
    return SeenAssignment(
        state=AssignmentState(row.state) if row.assigned else state_of_offer(row.state),
        judgement=Judgement(row.disposition, row.reason, note) if row.disposition else None,
        rep=row.rep,
        why=row.why,
        respond_by=row.respond_by,
        now=row.now,
        lead=LeadReceived.model_validate(row.data),
        on_hold=_on_hold(row),
        touches=tuple(LeadReceived.model_validate(touch) for touch in touches.scalars()),
    )


def _on_hold(row: Row[Any]) -> OnHold | None:
    lasting = hold_at([Hold.model_validate(hold) for hold in row.holds], row.now)
    return OnHold(row.held_by, row.held_because, lasting.until) if lasting else None
