"""What happened with a lead: who had it, which clocks ran, which steps fired and which are to come. For operators."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping, TextClause, text

from relance.database import Database
from relance.events.assignment import ClockName, StepAction
from relance.http.operators import OperatorOnly
from relance.http.problems import Problem, declared
from relance_sla_monitor.clocks import STEPS
from relance_sla_monitor.domain.clocks import Step

State = Literal["running", "on_hold", "overdue", "kept", "late", "taken_away", "erased"]
_NOT_KEPT: Mapping[str, State] = {"reassigned": "taken_away", "erased": "erased"}


class ShownStep(BaseModel):
    """A step of the escalation policy."""

    step: str
    occurrence: int = Field(description="2 for the first repetition, and so on.")
    action: StepAction
    due_at: datetime
    fired_at: datetime | None = Field(description="None: it is to come, or the clock stopped before.")
    late_seconds: float | None = Field(description="From when it was due to when it fired.")
    skipped: str | None = Field(
        None, description="Why nobody was told of it (extended, held ...): it was under way then, and fires again."
    )
    passed_on: bool = Field(False, description="It comes from the clock of a rep before, who ignored the lead.")


class Held(BaseModel):
    """When a clock stands still."""

    since: datetime
    until: datetime | None = Field(description="None: until it is released.")


class ShownTerms(BaseModel):
    """What a clock counted until its terms were changed."""

    until: datetime
    window_seconds: float
    extended_seconds: float
    deadline: datetime | None
    holds: list[Held]


class ShownClock(BaseModel):
    """A clock, and where it stands: `late` stopped after its deadline; `taken_away`, `erased` before, with the lead."""

    clock: ClockName
    state: State
    window_seconds: float
    calendar: str | None = Field(description="Whose working time counts; None: all time does.")
    started_at: datetime
    deadline: datetime | None = Field(description="None: on hold, nobody knows until when.")
    extended_seconds: float = Field(description="How much of the window was added by hand.")
    holds: list[Held]
    former: list[ShownTerms] = Field(description="Terms that ran before they were changed, the oldest first.")
    stopped_at: datetime | None
    stopped_by: str | None
    worked_seconds: float | None = Field(description="Working time from the start to the stop.")
    fired: list[ShownStep]
    to_come: list[ShownStep]


class Heard(BaseModel):
    """An answer, a word on what the lead was worth, or its end, when that was first said."""

    cause: str
    at: datetime


class ShownAssignment(BaseModel):
    """One owner of the lead, the first first."""

    assignment_id: UUID
    ordinal: int
    rep: str
    team: str
    assigned_at: datetime
    clocks: list[ShownClock]
    heard: list[Heard]
    disposition: str | None
    disposition_reason: str | None


class ShownTouch(BaseModel):
    """A lead that joined another one of the same person."""

    lead_id: UUID
    joined: UUID = Field(description="The lead that it joined.")
    source: str
    channel: str
    campaign: str | None
    received_at: datetime
    joined_at: datetime
    separated_at: datetime | None = Field(description="When somebody said that it is a lead of its own.")


class LeadClocks(BaseModel):
    """Everything that the SLA monitor knows of a lead."""

    lead_id: UUID
    source: str
    channel: str
    campaign: str | None
    received_at: datetime
    unrouted_since: datetime | None = Field(description="Since when nobody has it; None when somebody has or had it.")
    assignments: list[ShownAssignment]
    touch: ShownTouch | None = Field(description="As what it joined another lead, if it did.")
    touches: list[ShownTouch] = Field(description="What joined this one, in the order of receipt.")


_CLOCKS = text("""
    SELECT c.*, now() AS now, (SELECT CAST(k.calendar AS jsonb) ->> 'id' FROM calendars k WHERE k.digest = c.calendar)
        AS calendar_id, d.disposition, d.reason
    FROM clocks c LEFT JOIN dispositions d USING (assignment_id)
    WHERE c.lead_id = ANY(CAST(:lead_ids AS uuid[]))
    ORDER BY c.ordinal, c.deadline, c.clock
""")
_STEPS = text("""
    SELECT s.* FROM steps s WHERE s.assignment_id = ANY(CAST(:assignments AS uuid[])) ORDER BY s.fired_at, s.due_at
""")
_HEARD = text("""
    SELECT s.* FROM stops s WHERE s.assignment_id = ANY(CAST(:assignments AS uuid[])) ORDER BY s.at, s.cause
""")
_FORMER = text("""
    SELECT f.* FROM former_terms f WHERE f.assignment_id = ANY(CAST(:assignments AS uuid[])) ORDER BY f.revision
""")
_UNROUTED = text("""
    SELECT lead_id, source, channel, campaign, received_at,
        CASE WHEN erased_at IS NULL AND (given_at IS NULL OR given_at < unrouted_at) THEN unrouted_at END
            AS unrouted_since
    FROM unrouted_leads WHERE lead_id = ANY(CAST(:lead_ids AS uuid[]))
""")
_TOUCHES = text("""
    SELECT lead_id, joined, source, channel, campaign, received_at, joined_at, separated_at FROM touches
    WHERE joined_at IS NOT NULL
        AND (lead_id = ANY(CAST(:lead_ids AS uuid[])) OR joined = ANY(CAST(:lead_ids AS uuid[])))
    ORDER BY received_at, lead_id
""")


def timeline_api(database: Database, operator_only: OperatorOnly) -> APIRouter:
    """`/v1/leads/{lead_id}/clocks`."""
    router = APIRouter(tags=["leads"], dependencies=[Depends(operator_only)])

    @router.get(
        "/v1/leads/{lead_id}/clocks",
        summary="What happened with a lead",
        responses=declared(401, 404, 422, 503),
    )
    async def clocks(lead_id: Annotated[UUID, Path()]) -> LeadClocks:
        found = await read_timelines(database, [lead_id])
        if not found:
            raise Problem(
                HTTPStatus.NOT_FOUND, "No such lead", f"The SLA monitor has not heard of lead {lead_id}, or not yet."
            )
        return found[0]

    return router


async def read_timelines(database: Database, lead_ids: Sequence[UUID]) -> list[LeadClocks]:
    """Those leads that are known, as they stand, in this order."""
    async with database.transaction() as connection:

        async def read(query: TextClause, **values: Sequence[UUID]) -> Sequence[RowMapping]:
            return (await connection.execute(query, values)).mappings().all()

        clocks = await read(_CLOCKS, lead_ids=lead_ids)
        unrouted = {row["lead_id"]: row for row in await read(_UNROUTED, lead_ids=lead_ids)}
        touches = await read(_TOUCHES, lead_ids=lead_ids)
        assignments = sorted({row["assignment_id"] for row in clocks})
        steps = await read(_STEPS, assignments=assignments)
        heard = await read(_HEARD, assignments=assignments)
        former = await read(_FORMER, assignments=assignments)
    owned: dict[UUID, dict[UUID, list[RowMapping]]] = {}
    for row in clocks:
        owned.setdefault(row["lead_id"], {}).setdefault(row["assignment_id"], []).append(row)
    touch_of = {row["lead_id"]: row for row in touches}
    timelines: list[LeadClocks] = []
    for lead_id in lead_ids:
        had = list(owned.get(lead_id, {}).values())
        known = [*(rows[0] for rows in had), *(each[lead_id] for each in (unrouted, touch_of) if lead_id in each)]
        if not known:
            continue
        timelines.append(
            LeadClocks(
                lead_id=lead_id,
                **{name: known[0][name] for name in ("source", "channel", "campaign", "received_at")},
                unrouted_since=unrouted[lead_id]["unrouted_since"] if lead_id in unrouted else None,
                assignments=[_assignment(rows, steps, former, heard) for rows in had],
                touch=ShownTouch.model_validate(dict(touch_of[lead_id])) if lead_id in touch_of else None,
                touches=[ShownTouch.model_validate(dict(row)) for row in touches if row["joined"] == lead_id],
            )
        )
    return timelines


def _assignment(
    clocks: Sequence[RowMapping],
    steps: Sequence[RowMapping],
    former: Sequence[RowMapping],
    heard: Sequence[RowMapping],
) -> ShownAssignment:
    first = clocks[0]
    mine = first["assignment_id"]

    def of(rows: Sequence[RowMapping], clock: str) -> list[RowMapping]:
        return [row for row in rows if (row["assignment_id"], row["clock"]) == (mine, clock)]

    return ShownAssignment(
        assignment_id=mine,
        ordinal=first["ordinal"],
        rep=first["rep"],
        team=first["team"],
        assigned_at=first["started_at"],
        clocks=[_clock(row, of(steps, row["clock"]), of(former, row["clock"])) for row in clocks],
        heard=[Heard(cause=each["cause"], at=each["at"]) for each in heard if each["assignment_id"] == mine],
        disposition=first["disposition"],
        disposition_reason=first["reason"],
    )


def _clock(row: RowMapping, fired: Sequence[RowMapping], former: Sequence[RowMapping]) -> ShownClock:
    policy = STEPS.validate_python(row["steps"])
    passed_on = {(*step.key, step.due_at) for step in policy if step.passed_on}
    return ShownClock(
        clock=row["clock"],
        state=_state(row),
        window_seconds=row["response_window"].total_seconds(),
        calendar=row["calendar_id"],
        started_at=row["started_at"],
        deadline=row["deadline"],
        extended_seconds=row["extended"].total_seconds(),
        holds=_holds(row),
        former=[_former(each) for each in former],
        stopped_at=row["stopped_at"],
        stopped_by=row["stopped_by"],
        worked_seconds=row["worked"].total_seconds() if row["worked"] is not None else None,
        fired=[
            _fired(step, passed_on=(step["step"], step["occurrence"], step["due_at"]) in passed_on) for step in fired
        ],
        to_come=[] if row["stopped_at"] else [_to_come(step) for step in policy[row["fired"] :]],
    )


def _state(row: RowMapping) -> State:
    if row["stopped_at"] is None:
        if row["deadline"] is not None and row["deadline"] < row["now"]:
            return "overdue"
        now = row["now"]
        held = any(hold.since <= now and (hold.until is None or now < hold.until) for hold in _holds(row))
        return "on_hold" if held else "running"
    if row["deadline"] is not None and row["stopped_at"] > row["deadline"]:
        return "late"
    return _NOT_KEPT.get(row["stopped_by"], "kept")


def _former(row: RowMapping) -> ShownTerms:
    return ShownTerms(
        until=row["until"],
        window_seconds=row["response_window"].total_seconds(),
        extended_seconds=row["extended"].total_seconds(),
        deadline=row["deadline"],
        holds=_holds(row),
    )


def _holds(row: RowMapping) -> list[Held]:
    return [Held(since=hold.lower, until=hold.upper) for hold in row["holds"]]


def _fired(step: RowMapping, *, passed_on: bool) -> ShownStep:
    return ShownStep(
        step=step["step"],
        occurrence=step["occurrence"],
        action=step["action"],
        due_at=step["due_at"],
        fired_at=step["fired_at"],
        late_seconds=(step["fired_at"] - step["due_at"]).total_seconds(),
        skipped=step["skipped_because"],
        passed_on=passed_on,
    )


def _to_come(step: Step) -> ShownStep:
    return ShownStep(
        step=step.name,
        occurrence=step.occurrence,
        action=step.action,
        due_at=step.due_at,
        fired_at=None,
        late_seconds=None,
        passed_on=step.passed_on,
    )
