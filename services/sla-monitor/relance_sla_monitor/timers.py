"""Steps fall due: each fires once, on time, whatever restarts, with any number of replicas.

Every `LOOK_EVERY` the timer reads from the index alone what is due within `AHEAD` into memory, and at once when its own
consumer has started clocks; what is due beyond, however much, is left in the database. It sleeps until the earliest of
these by the database's clock, then locks exactly what is due, records the steps, writes the events and moves the clocks
on in one transaction. What another replica has in hand is skipped, and found again by the next look should it fail.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.database import Database
from relance.events.assignment import ClockName
from relance.ids import AssignmentId, NewId
from relance.logs import get_logger
from relance_sla_monitor import metrics
from relance_sla_monitor.announcements import step_fired
from relance_sla_monitor.clocks import (
    ClockKey,
    FiredStep,
    StoredClock,
    due_soon,
    lock_due_clocks,
    record_steps,
    store_clocks,
)
from relance_sla_monitor.domain.clocks import Clock, Step, fire

log = get_logger(__name__)

BATCH = 500
LOOK_EVERY = timedelta(seconds=1)
AHEAD = timedelta(seconds=2)
"""More than `LOOK_EVERY`, so that a look that takes long makes nothing late."""
MOST_AHEAD = 10_000
"""How many due times are kept in memory at most; when there are more, the next look comes once these have fired."""

_NOW = text("SELECT clock_timestamp()")


_Moved = tuple[StoredClock, Clock, tuple[Step, ...]]
"""A clock before and after it fired, and the steps that are told."""


@dataclass
class _Soon:
    """The near future: what is due until `until`, the earliest first."""

    until: datetime
    look_at: float
    """When to look again, by the machine's monotonic clock."""
    due: list[tuple[datetime, AssignmentId, ClockName]]

    @classmethod
    async def read(cls, connection: AsyncConnection, now: datetime) -> "_Soon":
        """As the database has it; `now` is its time."""
        look_at = time.monotonic() + LOOK_EVERY.total_seconds()
        # In order, and so a heap already.
        due = await due_soon(connection, now + AHEAD, MOST_AHEAD)
        return cls(due[-1][0] if len(due) == MOST_AHEAD else now + AHEAD, look_at, due)

    def take(self, now: datetime, limit: int) -> list[ClockKey]:
        """What has fallen due by `now`."""
        taken: list[ClockKey] = []
        while self.due and self.due[0][0] <= now and len(taken) < limit:
            _, assignment, clock = heappop(self.due)
            taken.append((assignment, clock))
        return taken

    def add(self, key: ClockKey, due_at: datetime | None) -> None:
        """A clock whose next step is due at `due_at`, unless that is far away."""
        if due_at is not None and due_at <= self.until:
            heappush(self.due, (due_at, *key))

    def wait(self, now: datetime) -> timedelta:
        """How long until the earliest is due, or until the next look."""
        if not self.due and self.until <= now:
            # More was due than is kept in memory.
            self.look_at = time.monotonic()
        look_in = timedelta(seconds=self.look_at - time.monotonic())
        return max(timedelta(), min(look_in, self.due[0][0] - now) if self.due else look_in)


class Timers:
    """Fires what is due."""

    def __init__(self, database: Database, new_id: NewId, on_committed: Callable[[], None]) -> None:
        self._database = database
        self._new_id = new_id
        self._on_committed = on_committed
        self._soon: _Soon | None = None
        self._stale = False

    def look_again(self) -> None:
        """Say that there may be clocks which memory does not know of."""
        self._stale = True

    async def fire_due(self) -> timedelta:
        """Fire one batch; returns how long until something is due, at most `LOOK_EVERY`."""
        # Should anything fail from here on, what was taken from memory is read again.
        soon, self._soon = self._soon, None
        looking = self._stale or soon is None or time.monotonic() >= soon.look_at
        self._stale = False
        async with self._database.transaction() as connection:
            now: datetime = (await connection.execute(_NOW)).scalar_one()
            asked_at = time.monotonic()
            if soon is None or looking:
                soon = await _Soon.read(connection, now)
            moved = await self._fire(connection, soon.take(now, BATCH), now)
        for stored, clock, _ in moved:
            soon.add(stored.key, clock.next_due_at)
        self._soon = soon
        self._tell(moved, now)
        return soon.wait(now + timedelta(seconds=time.monotonic() - asked_at))

    async def _fire(self, connection: AsyncConnection, keys: Sequence[ClockKey], now: datetime) -> list[_Moved]:
        due = await lock_due_clocks(connection, now, keys) if keys else []
        moved = [(stored, *fire(stored.clock, now)) for stored in due]
        if moved:
            fired = [(stored.key, step) for stored, _, steps in moved for step in steps]
            new = await record_steps(connection, fired, now)
            moved = [(stored, clock, _told(stored, steps, new)) for stored, clock, steps in moved]
            await store_clocks(connection, [(stored.assignment_id, clock) for stored, clock, _ in moved])
            told = [step_fired(stored, step, now, self._new_id) for stored, _, steps in moved for step in steps]
            await outbox.append(connection, told)
        return moved

    def _tell(self, moved: Sequence[_Moved], now: datetime) -> None:
        if moved:
            self._on_committed()
        for stored, clock, steps in moved:
            for step in steps:
                metrics.TIMER_LATENESS.observe((now - step.due_at).total_seconds())
                log.info(
                    "step fired",
                    assignment_id=str(stored.assignment_id),
                    clock=clock.name,
                    step=step.name,
                    occurrence=step.occurrence,
                    action=step.action,
                )


def _told(stored: StoredClock, steps: Sequence[Step], new: Collection[FiredStep]) -> tuple[Step, ...]:
    """Those of the steps that are new; one that had fired before is a mistake of ours, and keeps no other waiting."""
    for step in steps:
        if (stored.key, step.key) not in new:
            log.error(
                "step had fired before, nobody is told again",
                assignment_id=str(stored.assignment_id),
                clock=stored.clock.name,
                step=step.name,
                occurrence=step.occurrence,
            )
    return tuple(step for step in steps if (stored.key, step.key) in new)
