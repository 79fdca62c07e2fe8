"""Open assignments with their terms: loaded under lock, stored when the terms change, with the event that tells so."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.database import after_commit
from relance.events import AssignmentTermsChanged, Envelope, Hold, SkippedStep
from relance.events.assignment import ClockName
from relance.ids import AssignmentId, LeadId, NewId
from relance_router import metrics
from relance_router.domain.answers import AssignmentState
from relance_router.domain.terms import CLOCKS, Deadlines, PromisedBy, Terms, moved, waits
from relance_router.routing.assignments import SOURCE

COLUMNS = """
    a.id, a.lead_id, a.rule, a.arm, a.team, a.rep, a.state, a.disposition, a.assigned_at,
    coalesce(a.terms_of, a.configuration) AS terms_of, a.revision, a.respond_by, a.contact_by, a.decide_by, a.extended,
    a.holds, a.windows, l.identity, l.traceparent
"""
"""What `OpenAssignment.of` reads, of an assignment `a` and its lead `l`."""

_CHANGE = text("""
    UPDATE assignments a SET
        revision = given.revision, rule = given.rule, arm = given.arm, terms_of = given.terms_of,
        compared_with = :compared_with,
        respond_by = given.respond_by, contact_by = given.contact_by, decide_by = given.decide_by,
        extended = CAST(given.extended AS jsonb), holds = CAST(given.holds AS jsonb),
        windows = CAST(given.windows AS jsonb)
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:revisions AS integer[]), CAST(:rules AS text[]), CAST(:arms AS integer[]),
        CAST(:terms_of AS integer[]), CAST(:respond_by AS timestamptz[]), CAST(:contact_by AS timestamptz[]),
        CAST(:decide_by AS timestamptz[]), CAST(:extended AS text[]), CAST(:holds AS text[]),
        CAST(:windows AS text[])
    ) AS given (id, revision, rule, arm, terms_of, respond_by, contact_by, decide_by, extended, holds, windows)
    WHERE a.id = given.id
""")


@dataclass(frozen=True)
class OpenAssignment:
    """An assignment that has not ended. It and its lead are locked."""

    id: AssignmentId
    lead_id: LeadId
    traceparent: str
    identity: str
    """The pseudonym of the person."""
    by: PromisedBy
    state: AssignmentState
    disposed: bool
    """Whether sales has said what the lead was worth."""
    assigned_at: datetime
    terms_of: int
    """The version of the configuration whose terms hold."""
    revision: int
    extended: dict[ClockName, timedelta]
    holds: tuple[Hold, ...]
    windows: Mapping[ClockName, timedelta] | None
    """Promised instead of the rule's; None: as the rule says."""
    deadlines: Deadlines
    """As stored: before the first change, of the response clock alone."""

    @classmethod
    def of(cls, row: Row[Any]) -> "OpenAssignment":
        """From `COLUMNS`."""
        others: Deadlines = {"contact": row.contact_by, "disposition": row.decide_by} if row.revision else {}
        return cls(
            id=AssignmentId(row.id),
            lead_id=LeadId(row.lead_id),
            traceparent=row.traceparent,
            identity=row.identity,
            by=PromisedBy(row.rule, row.arm, row.team, row.rep),
            state=AssignmentState(row.state),
            disposed=row.disposition is not None,
            assigned_at=row.assigned_at,
            terms_of=row.terms_of,
            revision=row.revision,
            extended=_durations(row.extended),
            holds=tuple(Hold.model_validate(hold) for hold in row.holds),
            windows=None if row.windows is None else _durations(row.windows),
            deadlines={"response": row.respond_by, **others},
        )

    @property
    def running(self) -> frozenset[ClockName]:
        """The clocks that have not been stopped, as far as there are such."""
        return frozenset(clock for clock in CLOCKS if waits(clock, self.state, disposed=self.disposed))

    def with_its_own(self, terms: Terms) -> Terms:
        """A configuration's terms, with this assignment's own windows and what was done to it by hand."""
        windows = terms.windows if self.windows is None else self.windows
        return replace(terms, windows=windows, extended=self.extended, holds=self.holds)


@dataclass(frozen=True)
class Change:
    """From `at` on an assignment has the terms `after`, which are of version `terms_of`.

    `before` are those that it had; None when this release cannot read the configuration that they are of.
    """

    assignment: OpenAssignment
    before: Terms | None
    after: Terms
    terms_of: int
    at: datetime
    skipped: tuple[SkippedStep, ...] = ()
    """Steps of earlier terms that nobody was told of."""

    @property
    def deadlines_before(self) -> Deadlines:
        """Of every clock, as far as they are known."""
        said = self.before.deadlines(self.assignment.assigned_at) if self.before else {}
        return {**said, **self.assignment.deadlines}

    @property
    def deadlines(self) -> Deadlines:
        """From `at` on."""
        before, begin = self.deadlines_before, self.assignment.assigned_at
        return moved(before, self.after, begin, self.at, self.assignment.running)


Because = Literal["configuration", "revised", "extended", "held", "released"]


@dataclass(frozen=True)
class Why:
    """Why terms change; `by` says who did it by hand."""

    because: Because
    by: str | None = None


async def time_now(connection: AsyncConnection) -> datetime:
    """The database's clock, in UTC. Read after the lock, so that each change is later than the one before."""
    now: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return now


async def store_changes(
    connection: AsyncConnection, changes: Sequence[Change], why: Why, *, compared_with: int, new_id: NewId
) -> None:
    """Write terms that have changed, and the events. `compared_with` is the version that runs."""
    if not changes:
        return
    deadlines = [change.deadlines for change in changes]
    columns: dict[str, Sequence[object]] = {
        "ids": [change.assignment.id for change in changes],
        "revisions": [change.assignment.revision + 1 for change in changes],
        "rules": [change.assignment.by.rule for change in changes],
        "arms": [change.assignment.by.arm for change in changes],
        "terms_of": [change.terms_of for change in changes],
        "respond_by": [each.get("response") for each in deadlines],
        "contact_by": [each.get("contact") for each in deadlines],
        "decide_by": [each.get("disposition") for each in deadlines],
        "extended": [_seconds(change.after.extended) for change in changes],
        "holds": [json.dumps([hold.model_dump(mode="json") for hold in change.after.holds]) for change in changes],
        "windows": [None if (own := change.assignment.windows) is None else _seconds(own) for change in changes],
    }
    await connection.execute(_CHANGE, {**columns, "compared_with": compared_with})
    await outbox.append(connection, [_event(change, why, new_id) for change in changes])
    after_commit(connection, lambda: metrics.TERMS_CHANGED.labels(why.because).inc(len(changes)))


def _seconds(durations: Mapping[ClockName, timedelta]) -> str:
    return json.dumps({clock: duration.total_seconds() for clock, duration in durations.items()})


def _durations(seconds: Mapping[ClockName, float]) -> dict[ClockName, timedelta]:
    return {clock: timedelta(seconds=each) for clock, each in seconds.items()}


def _event(change: Change, why: Why, new_id: NewId) -> Envelope:
    assignment, terms = change.assignment, change.after
    data = AssignmentTermsChanged(
        assignment_id=assignment.id,
        lead_id=assignment.lead_id,
        rep=assignment.by.rep,
        team=assignment.by.team,
        revision=assignment.revision + 1,
        changed_at=change.at,
        because=why.because,
        by=why.by,
        response_window=terms.whole_windows["response"],
        contact_window=terms.whole_windows.get("contact"),
        disposition_window=terms.whole_windows.get("disposition"),
        extended=dict(terms.extended),
        skipped=change.skipped,
        holds=terms.holds,
        calendar=terms.calendar,
        escalation=terms.steps,
        quiet_outside=terms.quiet_outside,
        configuration=change.terms_of,
    )
    lead = str(assignment.lead_id)
    return Envelope.caused_by(assignment.traceparent, data, source=SOURCE, subject=lead, time=change.at, new_id=new_id)
