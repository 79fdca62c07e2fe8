"""Messages into tables, by the service's own handler; and which steps have fired, as the service itself has said."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from aiokafka import ConsumerRecord
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import faults, inbox
from relance.error_text import error_text
from relance.events import AssignmentTermsChanged, BreachWithdrawn, Envelope, MalformedEvent, StepFired
from relance.ids import AssignmentId
from relance.kafka.consumer import Handle
from relance_sla_monitor.clocks import ClockKey, lock_clocks, revise_clocks, skipped_columns
from relance_sla_monitor.domain.clocks import Clock, Step, comes_again

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"

_BATCH = 1000
_REFUSALS_TOLD = 100
_FIRED = text("""
    INSERT INTO fired (assignment_id, clock, step, occurrence, action, due_at, fired_at, event)
    SELECT assignment_id, clock, step, occurrence, action, due_at, fired_at, event
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:steps AS text[]),
        CAST(:occurrences AS integer[]), CAST(:actions AS text[]), CAST(:dues AS timestamptz[]),
        CAST(:fired_ats AS timestamptz[]), CAST(:events AS text[])
    ) WITH ORDINALITY AS given (assignment_id, clock, step, occurrence, action, due_at, fired_at, event, place)
    ORDER BY place
    ON CONFLICT DO NOTHING
""")
_WITHDRAWN = text("""
    INSERT INTO withdrawn (assignment_id, clock)
    SELECT * FROM unnest(CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]))
    ON CONFLICT DO NOTHING
""")
_SKIPPED = text("""
    INSERT INTO skipped (assignment_id, clock, step, occurrence, due_at, at, because)
    SELECT * FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:names AS text[]),
        CAST(:occurrences AS integer[]), CAST(:dues AS timestamptz[]), CAST(:ats AS timestamptz[]),
        CAST(:reasons AS text[])
    )
    ON CONFLICT DO NOTHING
""")
_STRAY = text("""
    DELETE FROM fired f WHERE NOT EXISTS (
        SELECT FROM clocks c WHERE c.assignment_id = f.assignment_id AND c.clock = f.clock
    )
""")
_KEEP_STEPS = text("""
    INSERT INTO steps (
        assignment_id, clock, step, occurrence, action, due_at, fired_at, skipped_at, skipped_because
    )
    SELECT assignment_id, clock, step, occurrence, action, due_at, fired_at, k.at, k.because
    FROM fired f LEFT JOIN skipped k USING (assignment_id, clock, step, occurrence, due_at) ORDER BY f.id
""")
_ASSIGNMENTS = text("""
    SELECT DISTINCT assignment_id FROM fired
    WHERE CAST(:after AS uuid) IS NULL OR assignment_id > :after
    ORDER BY assignment_id LIMIT :batch
""")
_FIRED_OF = text("""
    SELECT assignment_id, clock, event FROM fired f
    WHERE assignment_id = ANY(CAST(:assignment_ids AS uuid[])) AND NOT EXISTS (
        SELECT FROM skipped k WHERE (k.assignment_id, k.clock, k.step, k.occurrence, k.due_at)
            = (f.assignment_id, f.clock, f.step, f.occurrence, f.due_at)
    )
    ORDER BY id
""")


def moved_on(clock: Clock, fired: Sequence[Step]) -> Clock:
    """The clock after these steps, as they were when they fired; what is to come is as the clock has it."""
    due = {step.key: step.due_at for step in clock.steps if not clock.former or step.due_at > clock.former[-1].until}
    newest = {step.key: step for step in fired}
    past = tuple(step for step in fired if step is newest[step.key] and not comes_again(step, due.get(step.key)))
    keys = {step.key for step in past}
    to_come = (step for step in clock.steps if step.key not in keys)
    return replace(clock, steps=(*past, *to_come), fired=len(past))


class Replay:
    """Fills the temporary tables of one connection."""

    def __init__(self, connection: AsyncConnection, handle: Handle, consumer: str) -> None:
        self._connection = connection
        self._handle = handle
        self._consumer = consumer
        self.refused = 0
        """Messages that could not be handled, now as then."""
        self.refusals: list[str] = []
        """The first of them, each with its place and reason."""
        self.stray_steps = 0
        """Steps of clocks that no message told of."""

    async def take(self, records: Sequence[Record]) -> None:
        """Make the effects of these messages; of those that can be handled, where some cannot."""
        events: list[tuple[Record, Envelope]] = []
        for record in records:
            try:
                events.append((record, Envelope.from_message(record.headers, record.value)))
            except MalformedEvent as error:
                self._refuse(record, error)
        for part in _apart(events):
            try:
                await self._effect([event for _, event in part])
            except Exception as error:
                if faults.is_transient(error):
                    raise
                await self._one_by_one(part)

    async def _one_by_one(self, events: Sequence[tuple[Record, Envelope]]) -> None:
        for record, event in events:
            try:
                await self._effect([event])
            except Exception as error:
                if faults.is_transient(error):
                    raise
                self._refuse(record, error)

    def _refuse(self, record: Record, error: Exception) -> None:
        self.refused += 1
        if len(self.refusals) < _REFUSALS_TOLD:
            self.refusals.append(f"{record.topic} {record.partition} {record.offset}: {error_text(error)}")

    async def _effect(self, events: Sequence[Envelope]) -> None:
        async with self._connection.begin():
            known = {event.id: event for event in events}
            new = await inbox.claim(self._connection, self._consumer, list(known))
            fresh = [event for event in known.values() if event.id in new]
            said = [event.data for event in fresh]
            changes = [data for data in said if isinstance(data, AssignmentTermsChanged)]
            if changes:
                # What has fired is moved by no change.
                await self._move_on([change.assignment_id for change in changes])
            await self._handle(self._connection, fresh)
            await self._keep_skipped(changes)
            await self._keep_fired([data for data in said if isinstance(data, StepFired)])
            await self._keep_withdrawn([data for data in said if isinstance(data, BreachWithdrawn)])

    async def _keep_fired(self, fired: Sequence[StepFired]) -> None:
        columns = {
            "assignment_ids": [step.assignment_id for step in fired],
            "clocks": [step.clock for step in fired],
            "steps": [step.step for step in fired],
            "occurrences": [step.occurrence for step in fired],
            "actions": [step.action for step in fired],
            "dues": [step.due_at for step in fired],
            "fired_ats": [step.fired_at for step in fired],
            "events": [step.model_dump_json() for step in fired],
        }
        if fired:
            await self._connection.execute(_FIRED, columns)

    async def _keep_skipped(self, changes: Sequence[AssignmentTermsChanged]) -> None:
        if columns := skipped_columns(changes):
            await self._connection.execute(_SKIPPED, columns)

    async def _keep_withdrawn(self, withdrawn: Sequence[BreachWithdrawn]) -> None:
        columns = {
            "assignment_ids": [each.assignment_id for each in withdrawn],
            "clocks": [each.clock for each in withdrawn],
        }
        if withdrawn:
            await self._connection.execute(_WITHDRAWN, columns)

    async def finish(self) -> None:
        """Keep what has fired, and move clocks on over it, so that it does not fire again."""
        async with self._connection.begin():
            self.stray_steps = (await self._connection.execute(_STRAY)).rowcount
            await self._connection.execute(_KEEP_STEPS)
            after: AssignmentId | None = None
            while rows := (await self._connection.execute(_ASSIGNMENTS, {"after": after, "batch": _BATCH})).all():
                after = rows[-1].assignment_id
                await self._move_on([AssignmentId(row.assignment_id) for row in rows])

    async def _move_on(self, assignments: Sequence[AssignmentId]) -> None:
        fired: dict[ClockKey, list[Step]] = defaultdict(list)
        for row in await self._connection.execute(_FIRED_OF, {"assignment_ids": assignments}):
            fired[row.assignment_id, row.clock].append(_step(StepFired.model_validate_json(row.event)))
        if fired:
            stored = await lock_clocks(self._connection, sorted({assignment for assignment, _ in fired}))
            moved = [(each, moved_on(each.clock, fired[each.key])) for each, _ in stored if each.key in fired]
            await revise_clocks(self._connection, moved)


def _step(said: StepFired) -> Step:
    return Step(said.step, said.action, said.due_at, said.occurrence, said.to, said.via, said.passed_on)


def _apart(events: Sequence[tuple[Record, Envelope]]) -> Iterator[list[tuple[Record, Envelope]]]:
    """In order, with a change of terms apart from whatever else is told of its lead: what came first goes first."""
    part: list[tuple[Record, Envelope]] = []
    subjects: set[str] = set()
    changed: set[str] = set()
    for record, event in events:
        changes = isinstance(event.data, AssignmentTermsChanged)
        if event.subject in changed or (changes and event.subject in subjects):
            yield part
            part, subjects, changed = [], set(), set()
        part.append((record, event))
        subjects.add(event.subject)
        if changes:
            changed.add(event.subject)
    if part:
        yield part
