"""What the SLA monitor does with a polled batch: clocks start, and what reps and sales say stops them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce

from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.events import (
    AssignmentEnded,
    AssignmentMade,
    AssignmentTermsChanged,
    DispositionRecorded,
    Envelope,
    ResponseRecorded,
)
from relance.ids import AssignmentId, NewId
from relance.logs import get_logger
from relance_sla_monitor.announcements import breach_withdrawal
from relance_sla_monitor.clocks import (
    ClockKey,
    Heard,
    StoredClock,
    add_clocks,
    assignments_before,
    hear_of_stops,
    lock_clocks,
    lock_leads,
    revise_clocks,
    skip_steps,
    start_clocks,
    store_clocks,
)
from relance_sla_monitor.domain.clocks import (
    Clock,
    Step,
    StopCause,
    breach_withdrawn,
    change_terms,
    go_on,
    left_over,
    missing,
    settle,
    start,
)
from relance_sla_monitor.scorecards.facts import keep_facts
from relance_sla_monitor.scorecards.touches import keep_touches

log = get_logger(__name__)

PassedOn = tuple[AssignmentMade, AssignmentId]
"""An assignment that starts, and the one of its lead before."""


class ClockHandler:
    """Handles `leads.assignments` and `leads.responses`."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    async def __call__(self, connection: AsyncConnection, events: Sequence[Envelope]) -> None:
        """Make the effects of these events in the transaction given."""
        await lock_leads(connection, {event.subject for event in events})
        await keep_facts(connection, events)
        await keep_touches(connection, events)
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
        stops += [(end.assignment_id, "moved", end.ended_at) for end in ends if end.by]
        if stops:
            await hear_of_stops(connection, stops)
        changes: dict[AssignmentId, list[AssignmentTermsChanged]] = defaultdict(list)
        for event in events:
            if isinstance(event.data, AssignmentTermsChanged):
                changes[event.data.assignment_id].append(event.data)
        # An answer may be heard of before its assignment, so a new clock too may have been stopped already.
        concerned = {made.assignment_id for made, _, _ in started} | {assignment for assignment, _, _ in stops}
        concerned |= changes.keys()
        if concerned:
            again = {made.assignment_id: made for made, _, _ in started if made.ordinal > 1}
            before = await assignments_before(connection, sorted(again)) if again else {}
            passed_on = {assignment: (again[assignment], former) for assignment, former in before.items()}
            await self._bring_up_to_date(connection, sorted(concerned.union(before.values())), changes, passed_on)

    async def _bring_up_to_date(
        self,
        connection: AsyncConnection,
        assignments: Sequence[AssignmentId],
        changes: Mapping[AssignmentId, Sequence[AssignmentTermsChanged]],
        passed_on: Mapping[AssignmentId, PassedOn],
    ) -> None:
        locked = await lock_clocks(connection, assignments)
        for assignment in changes.keys() - {stored.assignment_id for stored, _ in locked}:
            log.warning("terms changed of an unknown assignment", assignment_id=str(assignment))
        added = _missing(locked, changes)
        if added:
            await add_clocks(connection, [stored.key for stored, _ in added])
        brought = _brought([*locked, *added], changes, passed_on)
        new = {stored.key for stored, _ in added}
        revised = [
            (stored, clock)
            for stored, clock in brought
            if stored.key in new
            or (clock.revision, clock.terms, clock.steps)
            != (stored.clock.revision, stored.clock.terms, stored.clock.steps)
        ]
        if revised:
            await revise_clocks(connection, revised)
        written = {stored.key for stored, _ in revised}
        stopped = [
            (stored.assignment_id, clock)
            for stored, clock in brought
            if clock != stored.clock and stored.key not in written
        ]
        if stopped:
            await store_clocks(connection, stopped)
        await skip_steps(connection, [change for each in changes.values() for change in each])
        withdrawn = [
            breach_withdrawal(stored, clock, self._new_id)
            for stored, clock in brought
            if breach_withdrawn(stored.clock, clock)
        ]
        if withdrawn:
            await outbox.append(connection, withdrawn)


def _brought(
    heard: Sequence[Heard],
    changes: Mapping[AssignmentId, Sequence[AssignmentTermsChanged]],
    passed_on: Mapping[AssignmentId, PassedOn],
) -> list[tuple[StoredClock, Clock]]:
    """Clocks, each with what it is by now. Those of leads passed on go on with what is left of the clock before."""
    brought: list[tuple[StoredClock, Clock]] = []
    left: dict[ClockKey, tuple[Step, ...]] = {}
    for stored, stops in sorted(heard, key=lambda each: each[0].ordinal):
        clock, assignment = stored.clock, stored.assignment_id
        if assignment in passed_on:
            made, before = passed_on[assignment]
            clock = go_on(clock, left.get((before, clock.name), ()), made)
        clock = settle(reduce(change_terms, changes.get(assignment, ()), clock), stops)
        left[stored.key] = left_over(clock, stops.keys())
        brought.append((stored, clock))
    return brought


def _missing(locked: Sequence[Heard], changes: Mapping[AssignmentId, Sequence[AssignmentTermsChanged]]) -> list[Heard]:
    """Clocks that changes of terms begin, beside those that their assignments have."""
    of_assignment: dict[AssignmentId, list[Heard]] = defaultdict(list)
    for stored, stops in locked:
        if stored.assignment_id in changes:
            of_assignment[stored.assignment_id].append((stored, stops))
    added: list[Heard] = []
    for assignment, heard in of_assignment.items():
        (stored, stops), clocks = heard[0], [each.clock for each, _ in heard]
        for change in changes[assignment]:
            begun = missing(clocks, change)
            clocks += begun
            added += [(replace(stored, clock=clock), stops) for clock in begun]
    return added
