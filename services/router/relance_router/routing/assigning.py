"""Giving leads to reps: decide a batch, then write everything that follows from it, in the caller's transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.events import AssignmentEnded, AssignmentMade, Envelope, EscalationStep, LeadReceived, LeadUnrouted
from relance.events.data import EventData
from relance.ids import AssignmentId, NewId
from relance_router import metrics
from relance_router.configuration.versions import Running
from relance_router.deliveries import announcements
from relance_router.deliveries.announcements import NewNotification
from relance_router.deliveries.notifications import cancel_notifications, write_notifications
from relance_router.domain.answers import AssignmentState
from relance_router.domain.configuration import Configuration
from relance_router.domain.lead_facts import lead_facts
from relance_router.domain.routing import Assigned, Decision, UnroutedReason, decide, teams_concerned
from relance_router.routing.routing_state import LockedState

SOURCE = "relance/router"


class Cause(StrEnum):
    """Why a lead needs an owner."""

    NEW = "new"
    DECLINED = "declined"
    IGNORED = "ignored"
    """The response window passed and the escalation policy asks for somebody else."""
    RETRIED = "retried"
    """It stood unrouted."""


@dataclass(frozen=True)
class Owner:
    """An assignment that is open, and is to end."""

    assignment_id: AssignmentId
    rep: str
    team: str
    weight: int


@dataclass(frozen=True)
class Request:
    """A lead that needs an owner. Its row is locked by the caller."""

    cause: Cause
    lead: LeadReceived
    traceparent: str
    had_it: tuple[str, ...] = ()
    """Reps who owned it before, oldest first."""
    owner: Owner | None = None


@dataclass(frozen=True)
class _Made:
    """An assignment about to be written."""

    id: AssignmentId
    request: Request
    assigned: Assigned
    decision: Decision
    weight: int


_ADD_ASSIGNMENTS = text("""
    INSERT INTO assignments
        (id, lead_id, ordinal, rep, team, weight, rule, state, assigned_at, respond_by, configuration, explanation)
    SELECT id, lead_id, ordinal, rep, team, weight, rule, 'open', :now, respond_by, :configuration,
        CAST(explanation AS jsonb)
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:lead_ids AS uuid[]), CAST(:ordinals AS integer[]), CAST(:reps AS text[]),
        CAST(:teams AS text[]), CAST(:weights AS integer[]), CAST(:rules AS text[]),
        CAST(:respond_bys AS timestamptz[]), CAST(:explanations AS text[])
    ) AS made (id, lead_id, ordinal, rep, team, weight, rule, respond_by, explanation)
""")
_END_ASSIGNMENTS = text("""
    UPDATE assignments SET state = ended.state, ended_at = :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[])) AS ended (id, state)
    WHERE assignments.id = ended.id
""")
_STAND_UNROUTED = text("""
    INSERT INTO unrouted (lead_id, reason, explanation, configuration, since, tried_at)
    SELECT lead_id, reason, CAST(explanation AS jsonb), :configuration, :now, :now
    FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:reasons AS text[]), CAST(:explanations AS text[]))
        AS given (lead_id, reason, explanation)
    ON CONFLICT (lead_id) DO UPDATE SET
        reason = excluded.reason, explanation = excluded.explanation, configuration = excluded.configuration,
        tried_at = excluded.tried_at
""")
_NO_LONGER_UNROUTED = text("DELETE FROM unrouted WHERE lead_id = ANY(CAST(:lead_ids AS uuid[]))")


class Assigner:
    """Assigns batches of leads. Needs the time and the running configuration; makes ids with `new_id`."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    async def assign(
        self, connection: AsyncConnection, running: Running, requests: Sequence[Request], now: datetime
    ) -> None:
        """Give each lead an owner, or let it stand in `unrouted`. `now` is the transaction's time."""
        if not requests:
            return
        locked = await _lock_state(connection, running.configuration, requests)
        made: list[_Made] = []
        unrouted: list[tuple[Request, Decision]] = []
        ended: list[tuple[Owner, Request]] = []
        for request in requests:
            decision = _decide(request, running, locked)
            if isinstance(decision.outcome, Assigned):
                made.append(self._made(request, decision.outcome, decision, running.configuration))
            elif request.cause is Cause.IGNORED:
                # Nobody else can take it: better the rep who was reminded than nobody.
                metrics.REASSIGNMENT_KEPT.labels(decision.outcome.value).inc()
                continue
            else:
                unrouted.append((request, decision))
            if request.owner:
                locked.state.ended(request.owner.rep)
                ended.append((request.owner, request))
        await locked.store(connection)
        await self._end(connection, ended, now)
        await self._make(connection, running, made, now)
        await self._leave_unrouted(connection, running, unrouted, now)

    async def _end(self, connection: AsyncConnection, ended: Sequence[tuple[Owner, Request]], now: datetime) -> None:
        if not ended:
            return
        ids = [owner.assignment_id for owner, _ in ended]
        states = [_end_state(request) for _, request in ended]
        await connection.execute(
            _END_ASSIGNMENTS, {"ids": ids, "states": [state.value for state in states], "now": now}
        )
        await cancel_notifications(connection, ids, now)
        events = [
            self._event(
                AssignmentEnded(
                    assignment_id=owner.assignment_id,
                    lead_id=request.lead.lead_id,
                    rep=owner.rep,
                    reason="declined" if state is AssignmentState.DECLINED else "reassigned",
                    ended_at=now,
                ),
                request,
                now,
            )
            for (owner, request), state in zip(ended, states, strict=True)
        ]
        await outbox.append(connection, events)

    async def _make(self, connection: AsyncConnection, running: Running, made: Sequence[_Made], now: datetime) -> None:
        if not made:
            return
        columns = {
            "ids": [each.id for each in made],
            "lead_ids": [each.request.lead.lead_id for each in made],
            "ordinals": [len(each.request.had_it) + 1 for each in made],
            "reps": [each.assigned.rep for each in made],
            "teams": [each.assigned.team for each in made],
            "weights": [each.weight for each in made],
            "rules": [each.assigned.rule for each in made],
            "respond_bys": [now + each.assigned.promise.respond_within for each in made],
            "explanations": [json.dumps(each.decision.explanation) for each in made],
        }
        await connection.execute(_ADD_ASSIGNMENTS, {**columns, "configuration": running.version, "now": now})
        was_unrouted = [each.request.lead.lead_id for each in made if each.request.cause is Cause.RETRIED]
        if was_unrouted:
            await connection.execute(_NO_LONGER_UNROUTED, {"lead_ids": was_unrouted})
        await write_notifications(connection, [self._notification(each, now) for each in made])
        await outbox.append(connection, [self._made_event(each, running, now) for each in made])
        for each in made:
            metrics.ASSIGNED.labels(each.assigned.team, each.request.cause.value).inc()
            if each.request.cause is Cause.NEW:
                metrics.RECEIPT_TO_ASSIGNMENT.observe((now - each.request.lead.received_at).total_seconds())

    async def _leave_unrouted(
        self,
        connection: AsyncConnection,
        running: Running,
        unrouted: Sequence[tuple[Request, Decision]],
        now: datetime,
    ) -> None:
        if not unrouted:
            return
        columns = {
            "lead_ids": [request.lead.lead_id for request, _ in unrouted],
            "reasons": [str(decision.outcome) for _, decision in unrouted],
            "explanations": [json.dumps(decision.explanation) for _, decision in unrouted],
        }
        await connection.execute(_STAND_UNROUTED, {**columns, "configuration": running.version, "now": now})
        news = [
            self._event(_unrouted_event(request, decision, now), request, now)
            for request, decision in unrouted
            if request.cause is not Cause.RETRIED
        ]
        await outbox.append(connection, news)
        for _, decision in unrouted:
            metrics.UNROUTED.labels(str(decision.outcome)).inc()

    def _made(self, request: Request, assigned: Assigned, decision: Decision, configuration: Configuration) -> _Made:
        team = configuration.teams_by_id.get(assigned.team)
        weight = next(member.weight for member in team.members if member.rep == assigned.rep) if team else 1
        return _Made(AssignmentId(self._new_id()), request, assigned, decision, weight)

    def _notification(self, made: _Made, now: datetime) -> NewNotification:
        assigned = made.assigned
        return announcements.assigned(
            made.id,
            made.request.lead.lead_id,
            rep=assigned.rep,
            team=assigned.team,
            why=f"rule {assigned.rule!r}, your turn in team {assigned.team!r}",
            ordinal=len(made.request.had_it) + 1,
            respond_by=now + assigned.promise.respond_within,
            assigned_at=now,
            traceparent=made.request.traceparent,
            new_id=self._new_id,
        )

    def _made_event(self, made: _Made, running: Running, now: datetime) -> Envelope:
        lead, assigned = made.request.lead, made.assigned
        policy = running.configuration.policies_by_id[assigned.promise.escalation]
        event = AssignmentMade(
            assignment_id=made.id,
            lead_id=lead.lead_id,
            ordinal=len(made.request.had_it) + 1,
            rep=assigned.rep,
            team=assigned.team,
            rule=assigned.rule,
            source=lead.source,
            channel=lead.channel,
            campaign=lead.campaign,
            received_at=lead.received_at,
            assigned_at=now,
            response_window=assigned.promise.respond_within,
            escalation=tuple(
                EscalationStep(name=step.name, action=step.action, window_fraction=step.at, delay=step.after)
                for step in policy.steps
            ),
            configuration=running.version,
        )
        return self._event(event, made.request, now)

    def _event(self, data: EventData, request: Request, now: datetime) -> Envelope:
        lead = str(request.lead.lead_id)
        return Envelope.caused_by(request.traceparent, data, source=SOURCE, subject=lead, time=now, new_id=self._new_id)


async def _lock_state(
    connection: AsyncConnection, configuration: Configuration, requests: Sequence[Request]
) -> LockedState:
    teams: set[str] = set()
    reps: set[str] = set()
    for request in requests:
        teams |= teams_concerned(configuration, lead_facts(request.lead))
        if request.owner:
            teams.add(request.owner.team)
            reps.add(request.owner.rep)
    for name in teams:
        team = configuration.teams_by_id.get(name)
        reps |= {member.rep for member in team.members} if team else set()
    return await LockedState.load(connection, sorted(teams), sorted(reps))


def _decide(request: Request, running: Running, locked: LockedState) -> Decision:
    returned = request.cause is Cause.DECLINED and request.owner is not None
    if returned and request.owner:
        locked.state.turns[request.owner.team].give_back(request.owner.rep, request.owner.weight)
    return decide(
        lead_facts(request.lead),
        running.configuration,
        running.version,
        locked.state,
        had_it=frozenset(request.had_it),
        new_lead=not returned,
    )


def _end_state(request: Request) -> AssignmentState:
    return AssignmentState.DECLINED if request.cause is Cause.DECLINED else AssignmentState.REASSIGNED


def _unrouted_event(request: Request, decision: Decision, now: datetime) -> LeadUnrouted:
    assert isinstance(decision.outcome, UnroutedReason)  # noqa: S101 - narrows the type
    lead = request.lead
    return LeadUnrouted(
        lead_id=lead.lead_id,
        source=lead.source,
        channel=lead.channel,
        campaign=lead.campaign,
        received_at=lead.received_at,
        unrouted_at=now,
        reason=decision.outcome.value,
    )
