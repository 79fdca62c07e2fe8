"""Steps fall due: each fires once, on time, whatever restarts, with any number of replicas.

Clocks that are due are locked, their steps recorded, the events written and the clocks moved on in one transaction.
Between batches the timer sleeps until the next due time by the database's clock, and looks again at least every
`LOOK_EVERY`, for clocks that another replica has started.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import text

from relance import outbox
from relance.database import Database
from relance.events import Envelope, StepFired
from relance.ids import NewId
from relance.logs import get_logger
from relance_sla_monitor import metrics
from relance_sla_monitor.clocks import StoredClock, lock_due_clocks, record_steps, store_clocks
from relance_sla_monitor.domain.clocks import Step, fire
from relance_sla_monitor.handler import SOURCE

log = get_logger(__name__)

BATCH = 500
LOOK_EVERY = timedelta(seconds=1)

_NOW = text("SELECT clock_timestamp()")
_UNTIL_NEXT = text("SELECT min(next_due_at) - clock_timestamp() FROM clocks WHERE next_due_at IS NOT NULL")


class Timers:
    """Fires what is due."""

    def __init__(self, database: Database, new_id: NewId, on_committed: Callable[[], None]) -> None:
        self._database = database
        self._new_id = new_id
        self._on_committed = on_committed

    async def fire_due(self) -> timedelta:
        """Fire one batch; returns how long until something is due, at most `LOOK_EVERY`."""
        async with self._database.transaction() as connection:
            now: datetime = (await connection.execute(_NOW)).scalar_one()
            due = await lock_due_clocks(connection, now, BATCH)
            fired: list[tuple[StoredClock, Step]] = []
            moved = []
            for stored in due:
                clock, steps = fire(stored.clock, now)
                fired += [(stored, step) for step in steps]
                moved.append((stored.assignment_id, clock))
            if moved:
                await record_steps(connection, [(stored.assignment_id, step) for stored, step in fired], now)
                await store_clocks(connection, moved)
                await outbox.append(connection, [self._event(stored, step, now) for stored, step in fired])
            wait: timedelta | None = (await connection.execute(_UNTIL_NEXT)).scalar_one()
        if fired:
            self._on_committed()
        for stored, step in fired:
            metrics.TIMER_LATENESS.observe((now - step.due_at).total_seconds())
            log.info("step fired", assignment_id=str(stored.assignment_id), step=step.name, action=step.action)
        return LOOK_EVERY if wait is None else min(LOOK_EVERY, wait)

    def _event(self, stored: StoredClock, step: Step, now: datetime) -> Envelope:
        fired = StepFired(
            assignment_id=stored.assignment_id,
            lead_id=stored.lead_id,
            clock="response",
            step=step.name,
            action=step.action,
            rep=stored.rep,
            team=stored.team,
            due_at=step.due_at,
            fired_at=now,
            deadline=stored.clock.deadline,
            response_window=stored.clock.window,
        )
        return Envelope.caused_by(
            stored.traceparent, fired, source=SOURCE, subject=str(stored.lead_id), time=now, new_id=self._new_id
        )
