"""What the SLA monitor does with a polled batch: clocks start, and what reps and sales say stops them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.events import (
    AssignmentEnded,
    AssignmentMade,
    BreachWithdrawn,
    DispositionRecorded,
    Envelope,
    ResponseRecorded,
)
from relance.ids import AssignmentId, NewId
from relance_sla_monitor.clocks import StoredClock, hear_of_stops, lock_clocks, start_clocks, store_clocks
from relance_sla_monitor.domain.clocks import Clock, StopCause, breach_withdrawn, settle, start
from relance_sla_monitor.scorecards.facts import keep_facts

SOURCE = "relance/sla-monitor"


class ClockHandler:
    """Handles `leads.assignments` and `leads.responses`."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    async def __call__(self, connection: AsyncConnection, events: Sequence[Envelope]) -> None:
        """Make the effects of these events in the transaction given."""
        await keep_facts(connection, events)
        started = [
            (event.data, clock, event.traceparent)
            for event in events
            if isinstance(event.data, AssignmentMade)
            for clock in start(event.data)
        ]
        answers = [event.data for event in events if isinstance(event.data, ResponseRecorded)]
        dispositions = [event.data for event in events if isinstance(event.data, DispositionRecorded)]
        ends = [event.data for event in events if isinstance(event.data, AssignmentEnded)]
        if started:
            await start_clocks(connection, started)
        stops: list[tuple[AssignmentId, StopCause, datetime]] = [
            (answer.assignment_id, answer.answer, answer.responded_at) for answer in answers
        ]
        stops += [(said.assignment_id, said.disposition, said.recorded_at) for said in dispositions]
        stops += [(end.assignment_id, end.reason, end.ended_at) for end in ends]
        if stops:
            await hear_of_stops(connection, stops)
        # An answer may be heard of before its assignment, so a new clock too may have been stopped already.
        concerned = {made.assignment_id for made, _, _ in started} | {assignment for assignment, _, _ in stops}
        if concerned:
            await self._settle(connection, sorted(concerned))

    async def _settle(self, connection: AsyncConnection, assignments: Sequence[AssignmentId]) -> None:
        changed: list[tuple[StoredClock, Clock]] = []
        for stored, stops in await lock_clocks(connection, assignments):
            settled = settle(stored.clock, stops)
            if settled != stored.clock:
                changed.append((stored, settled))
        if not changed:
            return
        await store_clocks(connection, [(stored.assignment_id, settled) for stored, settled in changed])
        withdrawn = [
            self._withdrawal(stored, settled) for stored, settled in changed if breach_withdrawn(stored.clock, settled)
        ]
        await outbox.append(connection, withdrawn)

    def _withdrawal(self, stored: StoredClock, settled: Clock) -> Envelope:
        assert settled.stopped_at  # noqa: S101 - narrows the type: a withdrawn breach has been answered
        withdrawn = BreachWithdrawn(
            assignment_id=stored.assignment_id,
            lead_id=stored.lead_id,
            clock=settled.name,
            rep=stored.rep,
            team=stored.team,
            responded_at=settled.stopped_at,
            deadline=settled.deadline,
        )
        return Envelope.caused_by(
            stored.traceparent,
            withdrawn,
            source=SOURCE,
            subject=str(stored.lead_id),
            time=settled.stopped_at,
            new_id=self._new_id,
        )
