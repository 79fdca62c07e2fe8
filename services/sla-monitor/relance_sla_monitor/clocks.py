"""Clocks in the database: started, found, stored; in sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from pydantic import TypeAdapter
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.calendars import Calendar
from relance.events import AssignmentMade
from relance.events.assignment import ClockName
from relance.ids import AssignmentId, LeadId
from relance_sla_monitor.domain.clocks import Clock, Step, StopCause

ClockKey = tuple[AssignmentId, ClockName]
"""An assignment has one clock of each name."""

_STEPS = TypeAdapter(tuple[Step, ...])


@dataclass(frozen=True)
class StoredClock:
    """A clock, locked, with what its events name."""

    assignment_id: AssignmentId
    lead_id: LeadId
    rep: str
    team: str
    source: str
    traceparent: str
    clock: Clock

    @property
    def key(self) -> ClockKey:
        """Which clock it is."""
        return self.assignment_id, self.clock.name


_KEEP_CALENDARS = text("""
    INSERT INTO calendars (digest, calendar)
    SELECT * FROM unnest(CAST(:digests AS bytea[]), CAST(:calendars AS text[]))
    ON CONFLICT DO NOTHING
""")
_START = text("""
    INSERT INTO clocks (
        assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, calendar, deadline, steps, next_due_at, traceparent
    )
    SELECT assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, calendar, deadline, CAST(steps AS jsonb), next_due_at, traceparent
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:lead_ids AS uuid[]),
        CAST(:ordinals AS integer[]),
        CAST(:reps AS text[]), CAST(:teams AS text[]), CAST(:sources AS text[]), CAST(:channels AS text[]),
        CAST(:campaigns AS text[]), CAST(:received_ats AS timestamptz[]), CAST(:started_ats AS timestamptz[]),
        CAST(:windows AS interval[]), CAST(:calendars AS bytea[]), CAST(:deadlines AS timestamptz[]),
        CAST(:steps AS text[]), CAST(:next_dues AS timestamptz[]), CAST(:traceparents AS text[])
    ) AS given (
        assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, calendar, deadline, steps, next_due_at, traceparent
    )
    ON CONFLICT DO NOTHING
""")
_HEAR = text("""
    INSERT INTO stops AS known (assignment_id, cause, at)
    SELECT assignment_id, cause, min(at)
    FROM unnest(CAST(:assignment_ids AS uuid[]), CAST(:causes AS text[]), CAST(:ats AS timestamptz[]))
        AS heard (assignment_id, cause, at)
    GROUP BY assignment_id, cause
    ORDER BY assignment_id, cause
    -- The earliest, in whatever order they are heard of: sales may accept, reject and accept again.
    ON CONFLICT (assignment_id, cause) DO UPDATE SET at = excluded.at WHERE excluded.at < known.at
""")
_COLUMNS = """
    c.assignment_id, c.clock, c.lead_id, c.rep, c.team, c.source, c.traceparent, c.started_at, c.response_window,
    c.deadline, c.steps, c.fired, c.stopped_at, c.stopped_by, c.worked,
    (SELECT k.calendar FROM calendars k WHERE k.digest = c.calendar) AS calendar
"""
_STOPS = """
    (SELECT jsonb_object_agg(s.cause, s.at) FROM stops s WHERE s.assignment_id = c.assignment_id) AS stops
"""
_LOCK = text(f"""
    SELECT {_COLUMNS}, {_STOPS} FROM clocks c
    WHERE c.assignment_id = ANY(CAST(:assignment_ids AS uuid[]))
    ORDER BY c.assignment_id, c.clock
    FOR UPDATE
""")
_LOCK_DUE = text(f"""
    SELECT {_COLUMNS}
    FROM unnest(CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[])) AS wanted (assignment_id, clock)
    JOIN clocks c USING (assignment_id, clock)
    WHERE c.next_due_at <= :now
    ORDER BY c.next_due_at
    FOR UPDATE OF c SKIP LOCKED
""")
DUE_SOON = """
    SELECT next_due_at, assignment_id, clock FROM clocks
    WHERE next_due_at <= :until
    ORDER BY next_due_at, assignment_id, clock
    LIMIT :limit
"""
_STORE = text("""
    UPDATE clocks c SET
        fired = given.fired, next_due_at = given.next_due_at,
        stopped_at = given.stopped_at, stopped_by = given.stopped_by, worked = given.worked
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:fired AS integer[]),
        CAST(:next_dues AS timestamptz[]), CAST(:stopped_ats AS timestamptz[]), CAST(:stopped_bys AS text[]),
        CAST(:worked AS interval[])
    ) AS given (assignment_id, clock, fired, next_due_at, stopped_at, stopped_by, worked)
    WHERE c.assignment_id = given.assignment_id AND c.clock = given.clock
""")
_RECORD_STEPS = text("""
    INSERT INTO steps (assignment_id, clock, step, action, due_at, fired_at)
    SELECT assignment_id, clock, step, action, due_at, :fired_at
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:names AS text[]), CAST(:actions AS text[]),
        CAST(:dues AS timestamptz[])
    ) AS given (assignment_id, clock, step, action, due_at)
""")


async def start_clocks(connection: AsyncConnection, started: Sequence[tuple[AssignmentMade, Clock, str]]) -> None:
    """Store new clocks, each with its assignment and traceparent."""
    written = {clock.calendar: clock.calendar.model_dump_json() for _, clock, _ in started if clock.calendar}
    digests = {calendar: sha256(as_json.encode()).digest() for calendar, as_json in written.items()}
    if written:
        # In one order, so that replicas that keep the same calendars do not wait for each other in a circle.
        kept = sorted({(digests[calendar], as_json) for calendar, as_json in written.items()})
        columns: dict[str, Sequence[object]] = {
            "digests": [digest for digest, _ in kept],
            "calendars": [as_json for _, as_json in kept],
        }
        await connection.execute(_KEEP_CALENDARS, columns)
    columns = {
        "assignment_ids": [made.assignment_id for made, _, _ in started],
        "clocks": [clock.name for _, clock, _ in started],
        "lead_ids": [made.lead_id for made, _, _ in started],
        "ordinals": [made.ordinal for made, _, _ in started],
        "reps": [made.rep for made, _, _ in started],
        "teams": [made.team for made, _, _ in started],
        "sources": [made.source for made, _, _ in started],
        "channels": [made.channel for made, _, _ in started],
        "campaigns": [made.campaign for made, _, _ in started],
        "received_ats": [made.received_at for made, _, _ in started],
        "started_ats": [clock.started_at for _, clock, _ in started],
        "windows": [clock.window for _, clock, _ in started],
        "calendars": [clock.calendar and digests[clock.calendar] for _, clock, _ in started],
        "deadlines": [clock.deadline for _, clock, _ in started],
        "steps": [_STEPS.dump_json(clock.steps).decode() for _, clock, _ in started],
        "next_dues": [clock.next_due_at for _, clock, _ in started],
        "traceparents": [traceparent for _, _, traceparent in started],
    }
    await connection.execute(_START, columns)


async def hear_of_stops(connection: AsyncConnection, stops: Sequence[tuple[AssignmentId, StopCause, datetime]]) -> None:
    """Store answers, dispositions and ends, whether or not their clocks are there yet."""
    columns = {
        "assignment_ids": [assignment for assignment, _, _ in stops],
        "causes": [cause for _, cause, _ in stops],
        "ats": [at for _, _, at in stops],
    }
    await connection.execute(_HEAR, columns)


async def lock_clocks(
    connection: AsyncConnection, assignments: Sequence[AssignmentId]
) -> list[tuple[StoredClock, Mapping[StopCause, datetime]]]:
    """The clocks of these assignments, locked, each with what has been heard of its assignment."""
    rows = await connection.execute(_LOCK, {"assignment_ids": list(assignments)})
    return [(_stored(row), _moments(row.stops)) for row in rows]


async def due_soon(
    connection: AsyncConnection, until: datetime, limit: int
) -> list[tuple[datetime, AssignmentId, ClockName]]:
    """What is due until then, earliest first; what is overdue too."""
    rows = await connection.execute(text(DUE_SOON), {"until": until, "limit": limit})
    return [(row.next_due_at, AssignmentId(row.assignment_id), row.clock) for row in rows]


async def lock_due_clocks(connection: AsyncConnection, now: datetime, keys: Sequence[ClockKey]) -> list[StoredClock]:
    """Those of these clocks that are due, earliest first; what another replica has in hand is left to it."""
    columns = {"assignment_ids": [assignment for assignment, _ in keys], "clocks": [clock for _, clock in keys]}
    return [_stored(row) for row in await connection.execute(_LOCK_DUE, {**columns, "now": now})]


async def store_clocks(connection: AsyncConnection, changed: Sequence[tuple[AssignmentId, Clock]]) -> None:
    """Write what has changed, in one statement."""
    columns = {
        "assignment_ids": [assignment for assignment, _ in changed],
        "clocks": [clock.name for _, clock in changed],
        "fired": [clock.fired for _, clock in changed],
        "next_dues": [clock.next_due_at for _, clock in changed],
        "stopped_ats": [clock.stopped_at for _, clock in changed],
        "stopped_bys": [clock.stopped_by for _, clock in changed],
        "worked": [clock.worked for _, clock in changed],
    }
    await connection.execute(_STORE, columns)


async def record_steps(connection: AsyncConnection, fired: Sequence[tuple[ClockKey, Step]], fired_at: datetime) -> None:
    """Store that steps have fired. A step that fires twice breaks the primary key, and with it the transaction."""
    columns = {
        "assignment_ids": [assignment for (assignment, _), _ in fired],
        "clocks": [clock for (_, clock), _ in fired],
        "names": [step.name for _, step in fired],
        "actions": [step.action for _, step in fired],
        "dues": [step.due_at for _, step in fired],
    }
    await connection.execute(_RECORD_STEPS, {**columns, "fired_at": fired_at})


def _stored(row: Row[tuple[object, ...]]) -> StoredClock:
    clock = Clock(
        name=row.clock,
        started_at=row.started_at,
        window=row.response_window,
        calendar=row.calendar and _calendar(row.calendar),
        deadline=row.deadline,
        steps=_STEPS.validate_python(row.steps),
        fired=row.fired,
        stopped_at=row.stopped_at,
        stopped_by=row.stopped_by,
        worked=row.worked,
    )
    return StoredClock(
        assignment_id=AssignmentId(row.assignment_id),
        lead_id=LeadId(row.lead_id),
        rep=row.rep,
        team=row.team,
        source=row.source,
        traceparent=row.traceparent,
        clock=clock,
    )


def _moments(stops: Mapping[StopCause, str] | None) -> dict[StopCause, datetime]:
    return {cause: datetime.fromisoformat(at).astimezone(UTC) for cause, at in (stops or {}).items()}


@lru_cache(maxsize=256)
def _calendar(as_json: str) -> Calendar:
    return Calendar.model_validate_json(as_json)
