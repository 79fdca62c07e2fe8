"""Clocks in the database: started, found, stored; in sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import AssignmentMade
from relance.ids import AssignmentId, LeadId
from relance_sla_monitor.domain.clocks import Clock, Step, StopCause

RESPONSE = "response"
"""The clock of the first answer."""

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
    stops: Mapping[StopCause, datetime]


_START = text("""
    INSERT INTO clocks (
        assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, deadline, steps, next_due_at, traceparent
    )
    SELECT assignment_id, :clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, deadline, CAST(steps AS jsonb), next_due_at, traceparent
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:lead_ids AS uuid[]), CAST(:ordinals AS integer[]),
        CAST(:reps AS text[]), CAST(:teams AS text[]), CAST(:sources AS text[]), CAST(:channels AS text[]),
        CAST(:campaigns AS text[]), CAST(:received_ats AS timestamptz[]), CAST(:started_ats AS timestamptz[]),
        CAST(:windows AS interval[]), CAST(:deadlines AS timestamptz[]), CAST(:steps AS text[]),
        CAST(:next_dues AS timestamptz[]), CAST(:traceparents AS text[])
    ) AS given (
        assignment_id, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, deadline, steps, next_due_at, traceparent
    )
    ON CONFLICT DO NOTHING
""")
_HEAR = text("""
    INSERT INTO stops (assignment_id, cause, at)
    SELECT * FROM unnest(CAST(:assignment_ids AS uuid[]), CAST(:causes AS text[]), CAST(:ats AS timestamptz[]))
    ON CONFLICT DO NOTHING
""")
_COLUMNS = """
    c.assignment_id, c.lead_id, c.rep, c.team, c.source, c.traceparent, c.started_at, c.response_window, c.deadline,
    c.steps, c.fired, c.stopped_at, c.stopped_by,
    (SELECT jsonb_object_agg(s.cause, s.at) FROM stops s WHERE s.assignment_id = c.assignment_id) AS stops
"""
_LOCK = text(f"""
    SELECT {_COLUMNS} FROM clocks c
    WHERE c.assignment_id = ANY(CAST(:assignment_ids AS uuid[])) AND c.clock = :clock
    ORDER BY c.assignment_id
    FOR UPDATE
""")
_LOCK_DUE = text(f"""
    SELECT {_COLUMNS} FROM clocks c
    WHERE c.next_due_at <= :now AND c.clock = :clock
    ORDER BY c.next_due_at
    LIMIT :batch
    FOR UPDATE SKIP LOCKED
""")
_STORE = text("""
    UPDATE clocks c SET
        fired = given.fired, next_due_at = given.next_due_at,
        stopped_at = given.stopped_at, stopped_by = given.stopped_by
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:fired AS integer[]), CAST(:next_dues AS timestamptz[]),
        CAST(:stopped_ats AS timestamptz[]), CAST(:stopped_bys AS text[])
    ) AS given (assignment_id, fired, next_due_at, stopped_at, stopped_by)
    WHERE c.assignment_id = given.assignment_id AND c.clock = :clock
""")
_RECORD_STEPS = text("""
    INSERT INTO steps (assignment_id, clock, step, action, due_at, fired_at)
    SELECT assignment_id, :clock, step, action, due_at, :fired_at
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:names AS text[]), CAST(:actions AS text[]), CAST(:dues AS timestamptz[])
    ) AS given (assignment_id, step, action, due_at)
""")


async def start_clocks(connection: AsyncConnection, started: Sequence[tuple[AssignmentMade, Clock, str]]) -> None:
    """Store new clocks, each with its assignment and traceparent."""
    columns = {
        "assignment_ids": [made.assignment_id for made, _, _ in started],
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
        "deadlines": [clock.deadline for _, clock, _ in started],
        "steps": [_STEPS.dump_json(clock.steps).decode() for _, clock, _ in started],
        "next_dues": [clock.next_due_at for _, clock, _ in started],
        "traceparents": [traceparent for _, _, traceparent in started],
    }
    await connection.execute(_START, {**columns, "clock": RESPONSE})


async def hear_of_stops(connection: AsyncConnection, stops: Sequence[tuple[AssignmentId, StopCause, datetime]]) -> None:
    """Store answers and ends, whether or not their clock is there yet."""
    columns = {
        "assignment_ids": [assignment for assignment, _, _ in stops],
        "causes": [cause for _, cause, _ in stops],
        "ats": [at for _, _, at in stops],
    }
    await connection.execute(_HEAR, columns)


async def lock_clocks(connection: AsyncConnection, assignments: Sequence[AssignmentId]) -> list[StoredClock]:
    """The clocks of these assignments, locked, with what is known to stop them."""
    rows = await connection.execute(_LOCK, {"assignment_ids": list(assignments), "clock": RESPONSE})
    return [_stored(row) for row in rows]


async def lock_due_clocks(connection: AsyncConnection, now: datetime, batch: int) -> list[StoredClock]:
    """Clocks of which a step is due, earliest first; those that another replica has in hand are left to it."""
    rows = await connection.execute(_LOCK_DUE, {"now": now, "clock": RESPONSE, "batch": batch})
    return [_stored(row) for row in rows]


async def store_clocks(connection: AsyncConnection, changed: Sequence[tuple[AssignmentId, Clock]]) -> None:
    """Write what has changed, in one statement."""
    columns = {
        "assignment_ids": [assignment for assignment, _ in changed],
        "fired": [clock.fired for _, clock in changed],
        "next_dues": [clock.next_due_at for _, clock in changed],
        "stopped_ats": [clock.stopped_at for _, clock in changed],
        "stopped_bys": [clock.stopped_by for _, clock in changed],
    }
    await connection.execute(_STORE, {**columns, "clock": RESPONSE})


async def record_steps(
    connection: AsyncConnection, fired: Sequence[tuple[AssignmentId, Step]], fired_at: datetime
) -> None:
    """Store that steps have fired. A step that fires twice breaks the primary key, and with it the transaction."""
    columns = {
        "assignment_ids": [assignment for assignment, _ in fired],
        "names": [step.name for _, step in fired],
        "actions": [step.action for _, step in fired],
        "dues": [step.due_at for _, step in fired],
    }
    await connection.execute(_RECORD_STEPS, {**columns, "clock": RESPONSE, "fired_at": fired_at})


def _stored(row: Row[tuple[object, ...]]) -> StoredClock:
    clock = Clock(
        started_at=row.started_at,
        window=row.response_window,
        deadline=row.deadline,
        steps=_STEPS.validate_python(row.steps),
        fired=row.fired,
        stopped_at=row.stopped_at,
        stopped_by=row.stopped_by,
    )
    return StoredClock(
        assignment_id=AssignmentId(row.assignment_id),
        lead_id=LeadId(row.lead_id),
        rep=row.rep,
        team=row.team,
        source=row.source,
        traceparent=row.traceparent,
        clock=clock,
        stops={cause: datetime.fromisoformat(at).astimezone(UTC) for cause, at in (row.stops or {}).items()},
    )
