"""Clocks in the database: started, found, stored; in sets."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from pydantic import TypeAdapter
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.calendars import Calendar, Hold
from relance.events import AssignmentMade, AssignmentTermsChanged
from relance.events.assignment import ClockName
from relance.ids import AssignmentId, LeadId
from relance_sla_monitor.domain.clocks import Clock, FormerTerms, Step, StopCause, Terms

ClockKey = tuple[AssignmentId, ClockName]
"""An assignment has one clock of each name."""

FiredStep = tuple[ClockKey, tuple[str, int]]
"""A step of a clock, by its key."""

STEPS = TypeAdapter(tuple[Step, ...])
"""The steps of a clock as they are stored."""


@dataclass(frozen=True)
class StoredClock:
    """A clock, locked, with what its events name."""

    assignment_id: AssignmentId
    lead_id: LeadId
    ordinal: int
    rep: str
    team: str
    source: str
    traceparent: str
    clock: Clock

    @property
    def key(self) -> ClockKey:
        """Which clock it is."""
        return self.assignment_id, self.clock.name


Heard = tuple[StoredClock, Mapping[StopCause, datetime]]
"""A clock, with what has been heard of its assignment."""

# In the order given, so that batches wait for each other and never in a circle.
_LOCK_LEADS = text("""
    SELECT pg_advisory_xact_lock(hashtextextended('sla ' || lead, 0)) FROM unnest(CAST(:leads AS text[])) AS lead
""")
_KEEP_CALENDARS = text("""
    INSERT INTO calendars (digest, calendar)
    SELECT * FROM unnest(CAST(:digests AS bytea[]), CAST(:calendars AS text[]))
    ON CONFLICT DO NOTHING
""")
_START = text("""
    INSERT INTO clocks (
        assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, calendar, deadline, risk_at, steps, next_due_at, traceparent
    )
    SELECT assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, calendar, deadline, risk_at, CAST(steps AS jsonb), next_due_at, traceparent
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:lead_ids AS uuid[]),
        CAST(:ordinals AS integer[]),
        CAST(:reps AS text[]), CAST(:teams AS text[]), CAST(:sources AS text[]), CAST(:channels AS text[]),
        CAST(:campaigns AS text[]), CAST(:received_ats AS timestamptz[]), CAST(:started_ats AS timestamptz[]),
        CAST(:windows AS interval[]), CAST(:calendars AS bytea[]), CAST(:deadlines AS timestamptz[]),
        CAST(:risk_ats AS timestamptz[]), CAST(:steps AS text[]), CAST(:next_dues AS timestamptz[]),
        CAST(:traceparents AS text[])
    ) AS given (
        assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, calendar, deadline, risk_at, steps, next_due_at, traceparent
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
    c.assignment_id, c.clock, c.lead_id, c.ordinal, c.rep, c.team, c.source, c.traceparent, c.started_at,
    c.response_window, c.deadline, c.extended, c.holds, c.revision, c.steps, c.fired, c.stopped_at, c.stopped_by,
    c.worked, (SELECT k.calendar FROM calendars k WHERE k.digest = c.calendar) AS calendar
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
_BEFORE = text("""
    SELECT n.assignment_id, b.assignment_id AS before
    FROM clocks n JOIN clocks b ON b.lead_id = n.lead_id AND b.ordinal = n.ordinal - 1 AND b.clock = 'response'
    WHERE n.assignment_id = ANY(CAST(:assignment_ids AS uuid[])) AND n.clock = 'response'
""")
_FORMER = text("""
    SELECT f.assignment_id, f.clock, f.revision, f.until, f.response_window, f.extended, f.holds, f.deadline,
        (SELECT k.calendar FROM calendars k WHERE k.digest = f.calendar) AS calendar
    FROM former_terms f WHERE f.assignment_id = ANY(CAST(:assignment_ids AS uuid[]))
    ORDER BY f.revision
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
_REVISE = text("""
    UPDATE clocks c SET
        revision = given.revision, response_window = given.response_window, extended = given.extended,
        calendar = given.calendar, holds = CAST(given.holds AS tstzmultirange), deadline = given.deadline,
        risk_at = given.risk_at, steps = CAST(given.steps AS jsonb), fired = given.fired,
        next_due_at = given.next_due_at,
        stopped_at = given.stopped_at, stopped_by = given.stopped_by, worked = given.worked
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:revisions AS integer[]),
        CAST(:windows AS interval[]), CAST(:extended AS interval[]), CAST(:calendars AS bytea[]),
        CAST(:holds AS text[]), CAST(:deadlines AS timestamptz[]), CAST(:risk_ats AS timestamptz[]),
        CAST(:steps AS text[]), CAST(:fired AS integer[]), CAST(:next_dues AS timestamptz[]),
        CAST(:stopped_ats AS timestamptz[]), CAST(:stopped_bys AS text[]), CAST(:worked AS interval[])
    ) AS given (
        assignment_id, clock, revision, response_window, extended, calendar, holds, deadline, risk_at, steps, fired,
        next_due_at, stopped_at, stopped_by, worked
    )
    WHERE c.assignment_id = given.assignment_id AND c.clock = given.clock
""")
_KEEP_FORMER = text("""
    INSERT INTO former_terms (
        assignment_id, clock, revision, until, response_window, extended, calendar, holds, deadline
    )
    SELECT assignment_id, clock, revision, until, response_window, extended, calendar,
        CAST(holds AS tstzmultirange), deadline
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:revisions AS integer[]),
        CAST(:untils AS timestamptz[]), CAST(:windows AS interval[]), CAST(:extended AS interval[]),
        CAST(:calendars AS bytea[]), CAST(:holds AS text[]), CAST(:deadlines AS timestamptz[])
    ) AS given (assignment_id, clock, revision, until, response_window, extended, calendar, holds, deadline)
""")
# Bare: what it counts is written with the change that begins it.
_ADD = text("""
    INSERT INTO clocks (
        assignment_id, clock, lead_id, ordinal, rep, team, source, channel, campaign, received_at, started_at,
        response_window, steps, traceparent
    )
    SELECT c.assignment_id, given.clock, c.lead_id, c.ordinal, c.rep, c.team, c.source, c.channel, c.campaign,
        c.received_at, c.started_at, interval '0', '[]', c.traceparent
    FROM unnest(CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[])) AS given (assignment_id, clock)
    JOIN clocks c ON c.assignment_id = given.assignment_id AND c.clock = 'response'
""")
_RECORD_STEPS = text("""
    INSERT INTO steps (assignment_id, clock, step, occurrence, action, due_at, fired_at)
    SELECT assignment_id, clock, step, occurrence, action, due_at, :fired_at
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:names AS text[]),
        CAST(:occurrences AS integer[]), CAST(:actions AS text[]), CAST(:dues AS timestamptz[])
    ) AS given (assignment_id, clock, step, occurrence, action, due_at)
    ON CONFLICT DO NOTHING
    RETURNING assignment_id, clock, step, occurrence
""")
_SKIP = text("""
    UPDATE steps s SET skipped_at = given.at, skipped_because = given.because
    FROM unnest(
        CAST(:assignment_ids AS uuid[]), CAST(:clocks AS text[]), CAST(:names AS text[]),
        CAST(:occurrences AS integer[]), CAST(:dues AS timestamptz[]), CAST(:ats AS timestamptz[]),
        CAST(:reasons AS text[])
    ) AS given (assignment_id, clock, step, occurrence, due_at, at, because)
    WHERE s.assignment_id = given.assignment_id AND s.clock = given.clock AND s.step = given.step
        AND s.occurrence = given.occurrence AND s.due_at = given.due_at
""")


async def lock_leads(connection: AsyncConnection, leads: Set[str]) -> None:
    """Let nobody else handle what is told of these leads, until the transaction ends.

    Two topics tell of a lead, and two replicas may have them in hand: one that starts a clock while the other records
    what stops it would see none of it, and nor would the other.
    """
    await connection.execute(_LOCK_LEADS, {"leads": sorted(leads)})


async def start_clocks(connection: AsyncConnection, started: Sequence[tuple[AssignmentMade, Clock, str]]) -> None:
    """Store new clocks, each with its assignment and traceparent."""
    digests = await _keep_calendars(connection, [clock.terms for _, clock, _ in started])
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
        "windows": [clock.terms.window for _, clock, _ in started],
        "calendars": [clock.terms.calendar and digests[clock.terms.calendar] for _, clock, _ in started],
        "deadlines": [clock.deadline for _, clock, _ in started],
        "risk_ats": [clock.risk_at for _, clock, _ in started],
        "steps": [_steps(clock) for _, clock, _ in started],
        "next_dues": [clock.next_due_at for _, clock, _ in started],
        "traceparents": [traceparent for _, _, traceparent in started],
    }
    await connection.execute(_START, columns)


async def add_clocks(connection: AsyncConnection, keys: Sequence[ClockKey]) -> None:
    """Begin clocks of assignments that have a response clock; `revise_clocks` then says what they count."""
    columns = {"assignment_ids": [assignment for assignment, _ in keys], "clocks": [clock for _, clock in keys]}
    await connection.execute(_ADD, columns)


async def hear_of_stops(connection: AsyncConnection, stops: Sequence[tuple[AssignmentId, StopCause, datetime]]) -> None:
    """Store answers, dispositions and ends, whether or not their clocks are there yet."""
    columns = {
        "assignment_ids": [assignment for assignment, _, _ in stops],
        "causes": [cause for _, cause, _ in stops],
        "ats": [at for _, _, at in stops],
    }
    await connection.execute(_HEAR, columns)


async def assignments_before(
    connection: AsyncConnection, assignments: Sequence[AssignmentId]
) -> dict[AssignmentId, AssignmentId]:
    """To each of these assignments the one of its lead before, where that is known."""
    rows = await connection.execute(_BEFORE, {"assignment_ids": list(assignments)})
    return {AssignmentId(row.assignment_id): AssignmentId(row.before) for row in rows}


async def lock_clocks(connection: AsyncConnection, assignments: Sequence[AssignmentId]) -> list[Heard]:
    """The clocks of these assignments with their former terms, locked, each with what has been heard."""
    rows = (await connection.execute(_LOCK, {"assignment_ids": list(assignments)})).all()
    former: dict[ClockKey, list[FormerTerms]] = defaultdict(list)
    if changed := [row.assignment_id for row in rows if row.revision]:
        for row in await connection.execute(_FORMER, {"assignment_ids": changed}):
            former[row.assignment_id, row.clock].append(FormerTerms(row.revision, row.until, _terms(row)))
    return [(_stored(row, former[row.assignment_id, row.clock]), _moments(row.stops)) for row in rows]


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


async def revise_clocks(connection: AsyncConnection, revised: Sequence[tuple[StoredClock, Clock]]) -> None:
    """Write clocks whose terms have changed, and keep their former terms; each clock before and after."""
    former = [(stored.key, each) for stored, clock in revised for each in clock.former[len(stored.clock.former) :]]
    clocks = [clock for _, clock in revised]
    digests = await _keep_calendars(
        connection, [*(clock.terms for clock in clocks), *(each.terms for _, each in former)]
    )
    columns = {
        "assignment_ids": [stored.assignment_id for stored, _ in revised],
        "clocks": [clock.name for clock in clocks],
        "revisions": [clock.revision for clock in clocks],
        **_columns([clock.terms for clock in clocks], digests),
        "risk_ats": [clock.risk_at for clock in clocks],
        "steps": [_steps(clock) for clock in clocks],
        "fired": [clock.fired for clock in clocks],
        "next_dues": [clock.next_due_at for clock in clocks],
        "stopped_ats": [clock.stopped_at for clock in clocks],
        "stopped_bys": [clock.stopped_by for clock in clocks],
        "worked": [clock.worked for clock in clocks],
    }
    await connection.execute(_REVISE, columns)
    if former:
        columns = {
            "assignment_ids": [assignment for (assignment, _), _ in former],
            "clocks": [clock for (_, clock), _ in former],
            "revisions": [each.revision for _, each in former],
            "untils": [each.until for _, each in former],
            **_columns([each.terms for _, each in former], digests),
        }
        await connection.execute(_KEEP_FORMER, columns)


async def record_steps(
    connection: AsyncConnection, fired: Sequence[tuple[ClockKey, Step]], fired_at: datetime
) -> set[FiredStep]:
    """Store that steps have fired; returns those that had not yet. What is on record already is not to be told."""
    columns = {
        "assignment_ids": [assignment for (assignment, _), _ in fired],
        "clocks": [clock for (_, clock), _ in fired],
        "names": [step.name for _, step in fired],
        "occurrences": [step.occurrence for _, step in fired],
        "actions": [step.action for _, step in fired],
        "dues": [step.due_at for _, step in fired],
    }
    rows = await connection.execute(_RECORD_STEPS, {**columns, "fired_at": fired_at})
    return {((AssignmentId(row.assignment_id), row.clock), (row.step, row.occurrence)) for row in rows}


async def skip_steps(connection: AsyncConnection, changes: Sequence[AssignmentTermsChanged]) -> None:
    """Note the steps that nobody was told of, and why."""
    if columns := skipped_columns(changes):
        await connection.execute(_SKIP, columns)


def skipped_columns(changes: Sequence[AssignmentTermsChanged]) -> dict[str, Sequence[object]]:
    """The steps that these changes skip; empty when there are none."""
    skipped = [(change, step) for change in changes for step in change.skipped]
    if not skipped:
        return {}
    return {
        "assignment_ids": [change.assignment_id for change, _ in skipped],
        "clocks": [step.clock for _, step in skipped],
        "names": [step.step for _, step in skipped],
        "occurrences": [step.occurrence for _, step in skipped],
        "dues": [step.due_at for _, step in skipped],
        "ats": [change.changed_at for change, _ in skipped],
        "reasons": [change.because for change, _ in skipped],
    }


async def _keep_calendars(connection: AsyncConnection, terms: Sequence[Terms]) -> dict[Calendar, bytes]:
    """Store each calendar of these terms once; returns by which digest."""
    written = {each.calendar: each.calendar.model_dump_json() for each in terms if each.calendar}
    digests = {calendar: sha256(as_json.encode()).digest() for calendar, as_json in written.items()}
    if written:
        # In one order, so that replicas that keep the same calendars do not wait for each other in a circle.
        kept = sorted({(digests[calendar], as_json) for calendar, as_json in written.items()})
        columns: dict[str, Sequence[object]] = {
            "digests": [digest for digest, _ in kept],
            "calendars": [as_json for _, as_json in kept],
        }
        await connection.execute(_KEEP_CALENDARS, columns)
    return digests


def _columns(terms: Sequence[Terms], digests: Mapping[Calendar, bytes]) -> dict[str, Sequence[object]]:
    return {
        "windows": [each.window for each in terms],
        "extended": [each.extended for each in terms],
        "calendars": [each.calendar and digests[each.calendar] for each in terms],
        "holds": [_as_multirange(each.holds) for each in terms],
        "deadlines": [each.deadline for each in terms],
    }


def _as_multirange(holds: Sequence[Hold]) -> str:
    return "{" + ",".join(f"[{since.isoformat()},{until.isoformat() if until else ''})" for since, until in holds) + "}"


def _steps(clock: Clock) -> str:
    return STEPS.dump_json(clock.steps, exclude_defaults=True).decode()


def _stored(row: Row[tuple[object, ...]], former: Sequence[FormerTerms] = ()) -> StoredClock:
    clock = Clock(
        name=row.clock,
        started_at=row.started_at,
        terms=_terms(row),
        steps=STEPS.validate_python(row.steps),
        former=tuple(former),
        revision=row.revision,
        fired=row.fired,
        stopped_at=row.stopped_at,
        stopped_by=row.stopped_by,
        worked=row.worked,
    )
    return StoredClock(
        assignment_id=AssignmentId(row.assignment_id),
        lead_id=LeadId(row.lead_id),
        ordinal=row.ordinal,
        rep=row.rep,
        team=row.team,
        source=row.source,
        traceparent=row.traceparent,
        clock=clock,
    )


def _terms(row: Row[tuple[object, ...]]) -> Terms:
    return Terms(
        window=row.response_window,
        calendar=row.calendar and _calendar(row.calendar),
        deadline=row.deadline,
        extended=row.extended,
        holds=tuple((hold.lower, hold.upper) for hold in row.holds),
    )


def _moments(stops: Mapping[StopCause, str] | None) -> dict[StopCause, datetime]:
    return {cause: datetime.fromisoformat(at).astimezone(UTC) for cause, at in (stops or {}).items()}


@lru_cache(maxsize=256)
def _calendar(as_json: str) -> Calendar:
    return Calendar.model_validate_json(as_json)
