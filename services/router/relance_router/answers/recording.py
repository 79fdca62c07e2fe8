"""Recording an answer: load under lock, decide, write what follows, in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.database import Database
from relance.events import Envelope, LeadReceived, ResponseRecorded
from relance.events.response import Answer
from relance.ids import AssignmentId, NewId
from relance_router import metrics
from relance_router.configuration.versions import ConfigurationVersions, Running
from relance_router.domain.answers import AssignmentState, Recorded, Refused, Repeated, answer
from relance_router.routing.assigning import SOURCE, Assigner, Cause
from relance_router.routing.leads import OwnedLead, lock_owned, transaction_time

_ANSWER = text("""
    INSERT INTO answers (assignment_id, answer, reason, responded_at) VALUES (:id, :answer, :reason, :now)
""")
_STATE = text("UPDATE assignments SET state = :state WHERE id = :id")
_ONE_LESS_IN_HAND = text("UPDATE reps SET open_leads = open_leads - 1 WHERE rep = :rep")


class UnknownAssignment(LookupError):
    """There is no such assignment."""


@dataclass(frozen=True)
class AnswerTaken:
    """What an answer came to, and where the assignment stands now."""

    verdict: Recorded | Repeated | Refused
    state: AssignmentState
    lead: LeadReceived


class AnswerRecorder:
    """Takes reps' answers."""

    def __init__(
        self,
        database: Database,
        versions: ConfigurationVersions,
        assigner: Assigner,
        new_id: NewId,
        on_committed: Callable[[AssignmentState], None],
    ) -> None:
        """`on_committed` is told where the assignment stands after an answer that counted."""
        self._database = database
        self._versions = versions
        self._assigner = assigner
        self._new_id = new_id
        self._on_committed = on_committed

    async def look(self, assignment: AssignmentId) -> OwnedLead:
        """The assignment and its lead; changes nothing.

        Raises:
            UnknownAssignment: there is no such assignment.
        """
        async with self._database.transaction() as connection:
            return await _owned(connection, assignment)

    async def record(self, assignment: AssignmentId, given: Answer, reason: str | None) -> AnswerTaken:
        """Record an answer; a decline gives the lead to somebody else at once.

        Raises:
            UnknownAssignment: there is no such assignment.
        """
        async with self._database.transaction() as connection:
            # Before the lead's row: whoever waits for the configuration must not stand in a batch's way.
            running = await self._versions.running(connection) if given == "declined" else None
            owned = await _owned(connection, assignment)
            verdict = answer(owned.state, given)
            if isinstance(verdict, Recorded):
                await self._effect(connection, owned, verdict.state, given, reason, running=running)
        if not isinstance(verdict, Recorded):
            return AnswerTaken(verdict, owned.state, owned.lead)
        metrics.ANSWERS.labels(given).inc()
        self._on_committed(verdict.state)
        return AnswerTaken(verdict, verdict.state, owned.lead)

    async def _effect(
        self,
        connection: AsyncConnection,
        owned: OwnedLead,
        state: AssignmentState,
        given: Answer,
        reason: str | None,
        *,
        running: Running | None,
    ) -> None:
        """`running` is given for a decline, after which somebody else is chosen."""
        assignment = owned.owner.assignment_id
        now = await transaction_time(connection)
        await connection.execute(_ANSWER, {"id": assignment, "answer": given, "reason": reason, "now": now})
        await outbox.append(connection, [self._event(owned, given, reason, now)])
        if running:
            await self._assigner.assign(connection, running, [owned.needs_another(Cause.DECLINED)], now)
            return
        await connection.execute(_STATE, {"id": assignment, "state": state.value})
        if state is AssignmentState.CONTACTED:
            await connection.execute(_ONE_LESS_IN_HAND, {"rep": owned.owner.rep})

    def _event(self, owned: OwnedLead, given: Answer, reason: str | None, now: datetime) -> Envelope:
        response = ResponseRecorded(
            assignment_id=owned.owner.assignment_id,
            lead_id=owned.lead.lead_id,
            rep=owned.owner.rep,
            answer=given,
            responded_at=now,
            reason=reason,
        )
        lead = str(owned.lead.lead_id)
        return Envelope.caused_by(
            owned.traceparent, response, source=SOURCE, subject=lead, time=now, new_id=self._new_id
        )


async def _owned(connection: AsyncConnection, assignment: AssignmentId) -> OwnedLead:
    found = await lock_owned(connection, [assignment])
    if not found:
        raise UnknownAssignment(f"There is no assignment {assignment}.")
    return found[0]
