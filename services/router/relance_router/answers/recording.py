"""Recording what reps say: load under lock, decide, write what follows, in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.database import Database, sealed
from relance.events import DispositionRecorded, ResponseRecorded
from relance.events.data import EventData
from relance.events.response import Answer, Disposition
from relance.ids import AssignmentId, NewId
from relance_router import metrics
from relance_router.answers.assignments import SeenAssignment, UnknownAssignment, read_assignment
from relance_router.answers.claiming import OfferDesk
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.domain.answers import AssignmentState, Recorded, Refused, Repeated, answer, is_answer
from relance_router.domain.dispositions import Judgement, dispose, in_hand
from relance_router.domain.reasons import check_reason
from relance_router.routing.assigning import Assigner
from relance_router.routing.assignments import event
from relance_router.routing.leads import OwnedLead, lock_owned
from relance_router.routing.offers import find_offer
from relance_router.routing.pauses import answered
from relance_router.routing.requests import Cause

_ANSWER = text("""
    INSERT INTO answers (assignment_id, answer, reason, code, responded_at)
    VALUES (:id, :answer, :note, :reason, :now)
""")
_DISPOSITION = text("""
    INSERT INTO dispositions (assignment_id, sequence, disposition, reason, note, recorded_at)
    SELECT :id, coalesce(max(sequence), 0) + 1, :disposition, :reason, :note, :now
    FROM dispositions WHERE assignment_id = :id
""")
_STAND = text("UPDATE assignments SET state = :state, disposition = :disposition WHERE id = :id")
_CHANGE_IN_HAND = text("UPDATE reps SET open_leads = open_leads + :change WHERE rep = :rep")


@dataclass(frozen=True)
class AnswerTaken:
    """What was made of what a rep said, and where the assignment stands now."""

    verdict: Recorded | Repeated | Refused
    state: AssignmentState
    disposition: Disposition | None


@dataclass(frozen=True)
class _Standing:
    """An assignment under lock, and all that is known of it."""

    owned: OwnedLead
    seen: SeenAssignment


@dataclass(frozen=True)
class _Said:
    """An answer, with its reason from the list and the rep's own words."""

    answer: Answer
    note: str | None
    reason: str | None


class AnswerRecorder:
    """Takes what reps say of their assignments."""

    def __init__(
        self,
        database: Database,
        versions: ConfigurationVersions,
        assigner: Assigner,
        new_id: NewId,
        on_committed: Callable[[str | None], None],
    ) -> None:
        """`on_committed` is told after everything that counted, with the rep who has a lead less in hand."""
        self._database = database
        self._versions = versions
        self._assigner = assigner
        self._new_id = new_id
        self._on_committed = on_committed
        self._offers = OfferDesk(versions, assigner, new_id)

    async def look(self, assignment: AssignmentId) -> SeenAssignment:
        """The assignment and its lead, without a lock; changes nothing.

        Raises:
            UnknownAssignment: there is no such assignment.
        """
        async with self._database.transaction() as connection:
            return await read_assignment(connection, assignment)

    async def say(
        self, assignment: AssignmentId, said: Answer | Disposition, *, reason: str | None, note: str | None
    ) -> AnswerTaken:
        """Record an answer or a disposition, with its reason from the list and the rep's own words.

        Raises:
            UnknownAssignment: there is no such assignment.
            BadReason: it needs a reason, or takes no such one.
        """
        if is_answer(said):
            return await self.record(assignment, said, note, reason)
        return await self.dispose(assignment, Judgement(said, reason, note))

    async def record(
        self, assignment: AssignmentId, given: Answer, note: str | None, reason: str | None = None
    ) -> AnswerTaken:
        """Record an answer; a decline, of which `reason` and `note` say why, gives the lead to somebody else at once.

        Raises:
            UnknownAssignment: there is no such assignment.
            BadReason: the answer takes no such reason.
        """
        check_reason(given, reason)
        async with self._database.transaction() as connection:
            taken, freed = await self._take(connection, assignment, _Said(given, note, reason))
        if isinstance(taken.verdict, Recorded):
            metrics.ANSWERS.labels(given).inc()
            self._on_committed(freed)
        return taken

    async def _take(
        self, connection: AsyncConnection, assignment: AssignmentId, said: _Said
    ) -> tuple[AnswerTaken, str | None]:
        """What was made of an answer, and the rep who has a lead less in hand by it."""
        offer = await find_offer(connection, assignment)
        # Before the lead's row: whoever waits for the configuration must not stand in a batch's way.
        running = await self._versions.running(connection) if said.answer == "declined" or offer else None
        if offer and running:
            offered = await self._offers.answer(connection, running, offer, said.answer)
            if offered != Recorded(AssignmentState.OPEN):
                return AnswerTaken(offered, getattr(offered, "state", offer.state), None), None
        standing = await _lock(connection, assignment)
        seen, rep = standing.seen, standing.owned.owner.rep
        verdict = answer(seen.state, said.answer, seen.disposition)
        if not isinstance(verdict, Recorded):
            return AnswerTaken(verdict, seen.state, seen.disposition), None
        values = {"id": assignment, **vars(said), "note": _sealed(connection, said.note), "now": seen.now}
        await connection.execute(_ANSWER, values)
        if offer is None:
            await answered(connection, rep)
        await self._tell(connection, standing, _response(standing, said.answer))
        taken = AnswerTaken(verdict, verdict.state, seen.disposition)
        if running and verdict.state is AssignmentState.DECLINED:
            request = standing.owned.needs_another(Cause.DECLINED)
            await self._assigner.assign(connection, running, [request], seen.now)
            return taken, rep
        freed = await _stand(connection, standing, verdict.state, seen.disposition)
        return taken, rep if freed else None

    async def dispose(self, assignment: AssignmentId, said: Judgement) -> AnswerTaken:
        """Record what sales made of a lead, or a correction of that.

        Raises:
            UnknownAssignment: there is no such assignment.
        """
        async with self._database.transaction() as connection:
            standing = await _lock(connection, assignment)
            seen = standing.seen
            verdict = dispose(seen.state, seen.judgement, said)
            if not isinstance(verdict, Recorded):
                return AnswerTaken(verdict, seen.state, seen.disposition)
            note = _sealed(connection, said.note)
            values = {"id": assignment, "disposition": said.disposition, "reason": said.reason, "note": note}
            await connection.execute(_DISPOSITION, {**values, "now": seen.now})
            await self._tell(connection, standing, _disposition(standing, said))
            freed = await _stand(connection, standing, verdict.state, said.disposition)
        metrics.DISPOSITIONS.labels(said.disposition, said.reason or "").inc()
        self._on_committed(standing.owned.owner.rep if freed else None)
        return AnswerTaken(verdict, verdict.state, said.disposition)

    async def _tell(self, connection: AsyncConnection, standing: _Standing, data: EventData) -> None:
        await outbox.append(connection, [event(data, standing.owned, standing.seen.now, self._new_id)])


def _sealed(connection: AsyncConnection, words: str | None) -> str | None:
    return None if words is None else sealed(connection).seal(words)


async def _lock(connection: AsyncConnection, assignment: AssignmentId) -> _Standing:
    locked = await lock_owned(connection, [assignment])
    if not locked:
        raise UnknownAssignment(assignment)
    # Read after the lock: what a press that came before has written is seen.
    return _Standing(locked[0], await read_assignment(connection, assignment))


async def _stand(
    connection: AsyncConnection, standing: _Standing, state: AssignmentState, disposition: Disposition | None
) -> bool:
    """Store where the assignment stands, and whether its rep has it in hand; True when that is over."""
    owner, seen = standing.owned.owner, standing.seen
    values = {"id": owner.assignment_id, "state": state.value, "disposition": disposition}
    await connection.execute(_STAND, values)
    change = in_hand(state, disposition) - in_hand(seen.state, seen.disposition)
    if change:
        await connection.execute(_CHANGE_IN_HAND, {"rep": owner.rep, "change": change})
    return change < 0


def _response(standing: _Standing, given: Answer) -> ResponseRecorded:
    owned = standing.owned
    return ResponseRecorded(
        assignment_id=owned.owner.assignment_id,
        lead_id=owned.lead.lead_id,
        rep=owned.owner.rep,
        answer=given,
        responded_at=standing.seen.now,
    )


def _disposition(standing: _Standing, said: Judgement) -> DispositionRecorded:
    owner, lead = standing.owned.owner, standing.owned.lead
    return DispositionRecorded(
        assignment_id=owner.assignment_id,
        lead_id=lead.lead_id,
        rep=owner.rep,
        team=owner.team,
        source=lead.source,
        channel=lead.channel,
        campaign=lead.campaign,
        disposition=said.disposition,
        reason=said.reason,
        recorded_at=standing.seen.now,
    )
