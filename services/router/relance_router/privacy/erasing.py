"""Erasing leads: what says who somebody was is blanked, what guards redelivery and counts stays, and that is proven.

Whoever has the lead has it no longer, unless sales has said what became of it: then its history stands, without names.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.database import after_commit
from relance.events import (
    AssignmentEnded,
    Envelope,
    ErasureDone,
    ErasureRequested,
    LeadErased,
    LeadReceived,
    LeadSeparated,
)
from relance.ids import AssignmentId, LeadId, NewId
from relance_router.domain.answers import AssignmentState
from relance_router.domain.dispositions import in_hand
from relance_router.routing.assignments import SOURCE
from relance_router.routing.offers import close_offers
from relance_router.routing.requests import Cause, Request

SERVICE = "router"
SEPARATED_BY = "an erasure"
"""Who separated a touch, as its event says."""

# A lead that is heard of only after its erasure finds its place taken, and is not routed.
_TAKE_PLACES = text("""
    INSERT INTO leads (id, data, traceparent, source, channel, received_at, erased_at)
    SELECT id, '{}', '', '', 'form', :now, :now FROM unnest(CAST(:leads AS uuid[])) AS given (id) ORDER BY id
    ON CONFLICT DO NOTHING
""")
# Of whom nothing was asked to be forgotten stays a lead: what was somebody's with the erased one is somebody's again.
_ORPHAN = text("""
    UPDATE leads l SET joined = NULL, joining = NULL
    FROM leads touch
    WHERE touch.id = l.id AND l.joined = ANY(CAST(:open AS uuid[])) AND l.erased_at IS NULL
    RETURNING l.id, touch.joined, l.data, l.revision, l.traceparent
""")
_LOCK_TOUCHES = text("SELECT FROM leads WHERE joined = ANY(CAST(:leads AS uuid[])) ORDER BY id FOR UPDATE")
_LOCK_NOTIFICATIONS = text("""
    SELECT FROM notifications WHERE lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY id FOR UPDATE
""")
# What was won, lost or rejected is over: no clock runs, and nobody has it in hand.
_END = text("""
    UPDATE assignments a SET state = 'erased', ended_at = :now
    FROM assignments before JOIN leads l ON l.id = before.lead_id
    WHERE a.id = before.id AND a.lead_id = ANY(CAST(:leads AS uuid[])) AND a.ended_at IS NULL
        AND coalesce(a.disposition, 'accepted') = 'accepted'
    RETURNING a.id, a.lead_id, a.rep, a.disposition, before.state, l.traceparent
""")
_BLANK = {
    "unrouted": text("DELETE FROM unrouted WHERE lead_id = ANY(CAST(:leads AS uuid[])) RETURNING lead_id"),
    "replaced_leads": text("""
        UPDATE replaced_leads SET data = '{}'
        WHERE lead_id = ANY(CAST(:leads AS uuid[])) AND data <> '{}' RETURNING lead_id
    """),
    "assignments": text("""
        UPDATE assignments
        SET why = '',
            explanation = jsonb_build_object('cause', explanation -> 'cause', 'chosen', explanation -> 'chosen')
        WHERE lead_id = ANY(CAST(:leads AS uuid[])) AND (why <> '' OR explanation - 'cause' - 'chosen' <> '{}')
        RETURNING lead_id
    """),
    "answers": text("""
        UPDATE answers SET reason = NULL FROM assignments a
        WHERE a.id = answers.assignment_id AND a.lead_id = ANY(CAST(:leads AS uuid[])) AND answers.reason IS NOT NULL
        RETURNING a.lead_id
    """),
    "dispositions": text("""
        UPDATE dispositions d SET note = NULL FROM assignments a
        WHERE a.id = d.assignment_id AND a.lead_id = ANY(CAST(:leads AS uuid[])) AND d.note IS NOT NULL
        RETURNING a.lead_id
    """),
    "interventions": text("""
        UPDATE interventions SET reason = ''
        WHERE lead_id = ANY(CAST(:leads AS uuid[])) AND reason <> '' RETURNING lead_id
    """),
    "notifications": text("""
        UPDATE notifications
        SET details = '{}', last_error = NULL, settled_at = coalesce(settled_at, :now),
            state = CASE state WHEN 'pending' THEN 'cancelled' ELSE state END
        WHERE lead_id = ANY(CAST(:leads AS uuid[]))
            AND (details <> '{}' OR last_error IS NOT NULL OR state = 'pending')
        RETURNING lead_id
    """),
    "delivery_attempts": text("""
        UPDATE delivery_attempts d SET error = NULL, response = NULL FROM notifications n
        WHERE n.id = d.notification_id AND n.lead_id = ANY(CAST(:leads AS uuid[]))
            AND (d.error IS NOT NULL OR d.response IS NOT NULL)
        RETURNING n.lead_id
    """),
    "leads": text("""
        UPDATE leads
        SET identity = NULL, company_domain = NULL, person_keys = NULL, erased_at = :now,
            data = jsonb_build_object(
                'lead_id', id, 'source', coalesce(source, data ->> 'source'),
                'channel', coalesce(channel, data ->> 'channel'), 'campaign', coalesce(campaign, data ->> 'campaign'),
                'received_at', coalesce(received_at, CAST(data ->> 'received_at' AS timestamptz)),
                'identity_key', '', 'contact', jsonb_build_object()
            )
        WHERE id = ANY(CAST(:leads AS uuid[])) AND erased_at IS NULL
        RETURNING id AS lead_id
    """),
}
"""By table; each returns the lead of every row that it has changed, and changes none twice."""


@dataclass(frozen=True)
class Erased:
    """What follows: a rep for each lead in hand that is in nobody's hand now, and touches that need an owner."""

    freed: Sequence[str] = ()
    orphaned: Sequence[Request] = ()


def to_erase(requested: Sequence[Envelope]) -> set[LeadId]:
    """The leads that these requests name."""
    return {lead for each in requested for lead in _data(each).lead_ids}


class Eraser:
    """Erases leads in a batch's transaction."""

    def __init__(self, new_id: NewId, is_free: Callable[[str], None]) -> None:
        """`is_free` is told, after the commit, of each rep who has lost a lead in hand."""
        self._new_id = new_id
        self._is_free = is_free

    async def erase(self, connection: AsyncConnection, requested: Sequence[Envelope], now: datetime) -> Erased:
        """Erase, and write the proofs. The caller has locked the leads, and sees to what follows."""
        if not requested:
            return Erased()
        leads = sorted(to_erase(requested))
        values: dict[str, Any] = {"leads": leads, "now": now}
        await connection.execute(_TAKE_PLACES, values)
        await connection.execute(_LOCK_TOUCHES, values)
        await connection.execute(_LOCK_NOTIFICATIONS, values)
        ended = (await connection.execute(_END, values)).all()
        await close_offers(connection, leads, now, self._new_id, state=AssignmentState.ERASED)
        changed = {
            table: Counter(LeadId(row.lead_id) for row in await connection.execute(statement, values))
            for table, statement in _BLANK.items()
        }
        open_ = {LeadId(row.lead_id) for row in ended} | changed["unrouted"].keys()
        orphans = (await connection.execute(_ORPHAN, {"open": sorted(open_)})).all()
        told = [self._ended(row, now) for row in ended] + [self._separated(row, now) for row in orphans]
        told += [self._erased(lead, requested[0], now) for lead in sorted(changed["unrouted"])]
        await outbox.append(connection, [*told, *(self._done(each, changed, now) for each in requested)])
        freed = [row.rep for row in ended if in_hand(AssignmentState(row.state), row.disposition)]
        for rep in sorted(set(freed)):
            after_commit(connection, lambda rep=rep: self._is_free(rep))  # type: ignore[misc]
        orphaned = [
            Request(Cause.SEPARATED, LeadReceived.model_validate(row.data), row.traceparent, revision=row.revision)
            for row in orphans
        ]
        return Erased(freed, orphaned)

    def _separated(self, row: Row[Any], now: datetime) -> Envelope:
        lead = LeadId(row.id)
        data = LeadSeparated(lead_id=lead, joined=LeadId(row.joined), by=SEPARATED_BY, separated_at=now)
        return Envelope.caused_by(
            row.traceparent, data, source=SOURCE, subject=str(lead), time=now, new_id=self._new_id
        )

    def _ended(self, row: Row[Any], now: datetime) -> Envelope:
        data = AssignmentEnded(
            assignment_id=AssignmentId(row.id),
            lead_id=LeadId(row.lead_id),
            rep=row.rep,
            reason="erased",
            ended_at=now,
        )
        lead = str(row.lead_id)
        return Envelope.caused_by(row.traceparent, data, source=SOURCE, subject=lead, time=now, new_id=self._new_id)

    def _erased(self, lead: LeadId, requested: Envelope, now: datetime) -> Envelope:
        data = LeadErased(lead_id=lead, erased_at=now)
        return Envelope.caused_by(
            requested.traceparent, data, source=SOURCE, subject=str(lead), time=now, new_id=self._new_id
        )

    def _done(self, requested: Envelope, changed: dict[str, Counter[LeadId]], now: datetime) -> Envelope:
        asked = _data(requested)
        data = ErasureDone(
            erasure_id=asked.erasure_id,
            part=asked.part,
            service=SERVICE,
            # A lead that two requests name counts in the first.
            rows={table: sum(leads.pop(lead, 0) for lead in asked.lead_ids) for table, leads in changed.items()},
            erased_at=now,
        )
        return Envelope.caused_by(
            requested.traceparent,
            data,
            source=SOURCE,
            subject=str(asked.erasure_id),
            time=now,
            new_id=self._new_id,
        )


def _data(requested: Envelope) -> ErasureRequested:
    if not isinstance(requested.data, ErasureRequested):
        raise TypeError(f"not a request to erase: {requested.data.TYPE}")
    return requested.data
