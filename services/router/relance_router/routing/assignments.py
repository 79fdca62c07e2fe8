"""Assignments made and ended: rows, notifications and events, each in one statement per batch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.calendars import Calendar, deadline
from relance.database import after_commit
from relance.events import AssignmentEnded, AssignmentMade, Envelope
from relance.events.data import EventData
from relance.ids import AssignmentId, NewId
from relance_router import metrics
from relance_router.configuration.versions import Running
from relance_router.deliveries import announcements
from relance_router.deliveries.notifications import cancel_notifications, write_notifications
from relance_router.domain.answers import AssignmentState
from relance_router.domain.routing import Assigned, By
from relance_router.domain.rules import Match
from relance_router.routing.leads import OwnedLead
from relance_router.routing.requests import Cause, Owner, Request

SOURCE = "relance/router"


@dataclass(frozen=True)
class Made:
    """An assignment about to be written."""

    id: AssignmentId
    request: Request
    found: Match
    assigned: Assigned
    record: Mapping[str, Any]
    calendar: Calendar | None
    """In whose working time its windows count."""

    @property
    def ordinal(self) -> int:
        """1 for the lead's first owner."""
        return len(self.request.had_it) + 1

    def respond_by(self, assigned_at: datetime) -> datetime:
        """When its response window is over."""
        return deadline(self.calendar, assigned_at, self.found.promise.respond_within)


_ENDINGS = {Cause.DECLINED: AssignmentState.DECLINED, Cause.MOVED: AssignmentState.MOVED}


@dataclass(frozen=True)
class Ended:
    """An assignment about to end, and the request that ends it."""

    owner: Owner
    request: Request

    @property
    def state(self) -> AssignmentState:
        """Where the assignment stands from now on."""
        return _ENDINGS.get(self.request.cause, AssignmentState.REASSIGNED)


_MAKE = text("""
    INSERT INTO assignments (
        id, lead_id, ordinal, rep, team, weight, rule, arm, why, state, assigned_at, respond_by, configuration,
        explanation
    )
    SELECT id, lead_id, ordinal, rep, team, weight, rule, arm, why, 'open', CAST(:now AS timestamptz),
        respond_by, :configuration, CAST(explanation AS jsonb)
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:lead_ids AS uuid[]), CAST(:ordinals AS integer[]), CAST(:reps AS text[]),
        CAST(:teams AS text[]), CAST(:weights AS integer[]), CAST(:rules AS text[]), CAST(:arms AS integer[]),
        CAST(:whys AS text[]), CAST(:respond_bys AS timestamptz[]), CAST(:explanations AS text[])
    ) AS made (id, lead_id, ordinal, rep, team, weight, rule, arm, why, respond_by, explanation)
""")
_END = text("""
    UPDATE assignments SET state = ended.state, ended_at = :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[])) AS ended (id, state)
    WHERE assignments.id = ended.id
""")


async def make_assignments(
    connection: AsyncConnection,
    running: Running,
    made: Sequence[Made],
    now: datetime,
    new_id: NewId,
) -> None:
    """Write assignments, what their reps are told, and the events."""
    if not made:
        return
    columns: dict[str, Sequence[object]] = {
        "ids": [each.id for each in made],
        "lead_ids": [each.request.lead.lead_id for each in made],
        "ordinals": [each.ordinal for each in made],
        "reps": [each.assigned.rep for each in made],
        "teams": [each.assigned.team for each in made],
        "weights": [each.assigned.weight for each in made],
        "rules": [each.found.rule for each in made],
        "arms": [each.found.arm for each in made],
        "whys": [each.assigned.why for each in made],
        "respond_bys": [each.respond_by(now) for each in made],
        "explanations": [explanation(each.request, each.record, each.assigned) for each in made],
    }
    await connection.execute(_MAKE, {**columns, "configuration": running.version, "now": now})
    # Whoever claimed an offer knows already.
    told = [each for each in made if each.assigned.by is not By.CLAIM]
    await write_notifications(connection, [_announcement(each, now, new_id) for each in told])
    await outbox.append(connection, [_made_event(each, running, now, new_id) for each in made])
    after_commit(connection, lambda: _count(made, now))


def _count(made: Sequence[Made], now: datetime) -> None:
    for each in made:
        metrics.ASSIGNED.labels(each.assigned.team, each.request.cause.value).inc()
        if each.ordinal == 1:
            metrics.RECEIPT_TO_ASSIGNMENT.observe((now - each.request.lead.received_at).total_seconds())


async def end_assignments(connection: AsyncConnection, ended: Sequence[Ended], now: datetime, new_id: NewId) -> None:
    """End assignments; their reps are told no more of them."""
    if not ended:
        return
    ids = [each.owner.assignment_id for each in ended]
    await connection.execute(_END, {"ids": ids, "states": [each.state.value for each in ended], "now": now})
    await cancel_notifications(connection, ids, now)
    await outbox.append(connection, [_ended_event(each, now, new_id) for each in ended])


def explanation(request: Request, record: Mapping[str, Any], assigned: Assigned | None = None) -> str:
    """What is stored to make the decision again, as JSON."""
    chosen = {"rep": assigned.rep, "team": assigned.team, "by": assigned.by.value} if assigned else None
    # Of a claim, the one by which it was offered.
    revision = record.get("revision", request.revision)
    document = {**record, "revision": revision, "cause": request.cause.value, "chosen": chosen}
    return json.dumps(document, separators=(",", ":"))


def event(data: EventData, about: Request | OwnedLead, now: datetime, new_id: NewId) -> Envelope:
    """An event about a lead."""
    lead = str(about.lead.lead_id)
    return Envelope.caused_by(about.traceparent, data, source=SOURCE, subject=lead, time=now, new_id=new_id)


def _announcement(made: Made, now: datetime, new_id: NewId) -> announcements.NewNotification:
    by_hand = made.assigned.by is By.MANAGER
    return announcements.assigned(
        announcements.Holder(made.assigned.rep, made.id, made.request.lead.lead_id, made.request.traceparent),
        team=made.assigned.team,
        why=made.assigned.why if by_hand else f"{made.assigned.why}, by rule {made.found.rule}",
        ordinal=made.ordinal,
        respond_by=made.respond_by(now),
        at=now,
        new_id=new_id,
    )


def _made_event(made: Made, running: Running, now: datetime, new_id: NewId) -> Envelope:
    lead = made.request.lead
    data = AssignmentMade(
        assignment_id=made.id,
        lead_id=lead.lead_id,
        ordinal=made.ordinal,
        rep=made.assigned.rep,
        team=made.assigned.team,
        rule=made.found.rule,
        source=lead.source,
        channel=lead.channel,
        campaign=lead.campaign,
        received_at=lead.received_at,
        assigned_at=now,
        response_window=made.found.promise.respond_within,
        contact_window=made.found.promise.contact_within,
        disposition_window=made.found.promise.decide_within,
        calendar=made.calendar,
        escalation=running.configuration.policies_by_id[made.found.promise.escalation].as_told,
        quiet_outside=running.configuration.quiet_outside(made.found.promise.escalation),
        configuration=running.version,
    )
    return event(data, made.request, now, new_id)


def _ended_event(ended: Ended, now: datetime, new_id: NewId) -> Envelope:
    hand = ended.request.hand
    data = AssignmentEnded(
        assignment_id=ended.owner.assignment_id,
        lead_id=ended.request.lead.lead_id,
        rep=ended.owner.rep,
        reason="declined" if ended.state is AssignmentState.DECLINED else "reassigned",
        ended_at=now,
        by=hand.by if hand else None,
    )
    return event(data, ended.request, now, new_id)
