"""Terms changed by hand: more time on a clock, a hold, its release; on record, with an event, and told to the rep."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance.events.assignment import ClockName
from relance.ids import LeadId, NewId
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries import announcements
from relance_router.deliveries.announcements import NewNotification
from relance_router.deliveries.notifications import write_notifications
from relance_router.domain import interventions
from relance_router.domain.interventions import InterventionRefused, Situation
from relance_router.domain.terms import CLOCKS, Terms, hold_at
from relance_router.domain.time_left import duration_words
from relance_router.routing.explanations import UnknownLead
from relance_router.terms.assignments import COLUMNS, Change, OpenAssignment, Why, store_changes, time_now
from relance_router.terms.documents import TermsView
from relance_router.terms.interventions import Intervention, Order, answer_before, interventions_of, record
from relance_router.terms.promises import brought, former

# Two statements: what is read of the assignment is what was committed while its lead was waited for.
_LOCK_LEAD = text("SELECT joined, erased_at FROM leads WHERE id = :lead FOR UPDATE")
_LOCK = text(f"""
    SELECT {COLUMNS} FROM assignments a JOIN leads l ON l.id = a.lead_id
    WHERE a.lead_id = :lead AND a.ended_at IS NULL FOR UPDATE OF a
""")
_KNOWN = text("SELECT id FROM leads WHERE id = :lead")


class TermsByHand:
    """Changes the terms of leads' assignments."""

    def __init__(
        self, database: Database, versions: ConfigurationVersions, new_id: NewId, on_committed: Callable[[], None]
    ) -> None:
        self._database = database
        self._versions = versions
        self._new_id = new_id
        self._on_committed = on_committed

    async def extend(self, order: Order, clock: ClockName, by_how_long: timedelta) -> TermsView:
        """Give a clock more time.

        Raises:
            UnknownLead: the router has not got it.
            InterventionRefused: it is too late, or nothing waits.
            KeyUsedTwice: another order had its key.
        """
        details = {"clock": clock, "seconds": by_how_long.total_seconds()}
        told = {"more": duration_words(by_how_long)}
        return await self._change(
            order, "extended", details, told, lambda situation: interventions.extend(situation, clock, by_how_long)
        )

    async def hold(self, order: Order, until: datetime | None) -> TermsView:
        """Let every clock stand still until a moment (UTC), or until it is released.

        Raises:
            UnknownLead: the router has not got it.
            HoldOutOfReach: `until` does not lie ahead, or is too far.
            InterventionRefused: they stand still already, or none runs.
            KeyUsedTwice: another order had its key.
        """
        details = {"until": announcements.utc(until)} if until else {}
        told = {f"hold_{name}": value for name, value in details.items()}
        return await self._change(order, "held", details, told, lambda situation: interventions.hold(situation, until))

    async def release(self, order: Order) -> TermsView:
        """Let the clocks run again.

        Raises:
            UnknownLead: the router has not got it.
            InterventionRefused: they run.
            KeyUsedTwice: another order had its key.
        """
        return await self._change(order, "released", {}, {}, interventions.release)

    async def of_lead(self, lead: LeadId) -> Sequence[Intervention]:
        """Everything done to a lead by hand, the oldest first.

        Raises:
            UnknownLead: the router has not got it.
        """
        async with self._database.transaction() as connection:
            if (await connection.execute(_KNOWN, {"lead": lead})).one_or_none() is None:
                raise UnknownLead(lead)
            return await interventions_of(connection, lead)

    async def _change(
        self,
        order: Order,
        what: Literal["extended", "held", "released"],
        details: Mapping[str, Any],
        told: Mapping[str, Any],
        decide: Callable[[Situation], Terms],
    ) -> TermsView:
        async with self._database.transaction() as connection:
            running = await self._versions.running(connection)
            await lock_lead_of_its_own(connection, order.lead)
            if answer := await answer_before(connection, order, what, details):
                return TermsView.model_validate(answer)
            assignment = await _lock(connection, order.lead)
            now = await time_now(connection)
            made_with = await former(connection, self._versions, [assignment.terms_of])
            standing = brought(made_with[assignment.terms_of], running, assignment, now)
            if standing is None:
                raise InterventionRefused(
                    "This release cannot read the configuration that the lead was assigned by. Reassign the lead."
                )
            change = replace(standing, after=decide(_situation(standing)))
            await store_changes(
                connection, [change], Why(what, order.by), compared_with=running.version, new_id=self._new_id
            )
            done = Intervention(self._new_id(), order.lead, assignment.id, what, order.by, order.reason, details, now)
            view = _view(change)
            await record(connection, done, key=order.key, asked=details, answer=view.model_dump(mode="json"))
            await write_notifications(connection, [self._news(change, done, told)])
        self._on_committed()
        return view

    def _news(self, change: Change, done: Intervention, told: Mapping[str, Any]) -> NewNotification:
        assignment = change.assignment
        waiting = done.details.get("clock") or next((each for each in CLOCKS if each in assignment.running), None)
        due = change.deadlines.get(waiting) if waiting else None
        by = {f"{'respond' if waiting == 'response' else waiting}_by": announcements.utc(due)} if due else {}
        return announcements.terms_changed(
            announcements.Holder(assignment.by.rep, assignment.id, assignment.lead_id, assignment.traceparent),
            done.id,
            {"change": done.what, **told, "by": done.by, "reason": done.reason, **by},
            at=done.at,
            new_id=self._new_id,
        )


async def lock_lead_row(connection: AsyncConnection, lead: LeadId) -> LeadId | None:
    """Nobody else does anything to the lead until the transaction ends; returns the lead that it has joined.

    Raises:
        UnknownLead: the router has not got it.
        InterventionRefused: it was erased.
    """
    row = (await connection.execute(_LOCK_LEAD, {"lead": lead})).one_or_none()
    if row is None:
        raise UnknownLead(lead)
    if row.erased_at:
        raise InterventionRefused(f"The lead was erased at {row.erased_at:%Y-%m-%d %H:%M:%S} UTC: nobody can have it.")
    return LeadId(row.joined) if row.joined else None


async def lock_lead_of_its_own(connection: AsyncConnection, lead: LeadId) -> None:
    """Lock a lead to do something to its owner.

    Raises:
        UnknownLead: the router has not got it.
        InterventionRefused: it is a touch of another lead, or was erased.
    """
    if joined := await lock_lead_row(connection, lead):
        raise InterventionRefused(
            f"The lead is a touch of lead {joined}, of the same person. Name that one, or separate this one first."
        )


async def _lock(connection: AsyncConnection, lead: LeadId) -> OpenAssignment:
    row = (await connection.execute(_LOCK, {"lead": lead})).one_or_none()
    if row is None:
        raise InterventionRefused("Nobody has the lead now: it stands unrouted, and no clock runs for it.")
    return OpenAssignment.of(row)


def _situation(standing: Change) -> Situation:
    assignment = standing.assignment
    return Situation(
        rep=assignment.by.rep,
        terms=standing.after,
        deadlines=standing.deadlines_before,
        running=assignment.running,
        now=standing.at,
    )


def _view(change: Change) -> TermsView:
    assignment, deadlines, lasting = change.assignment, change.deadlines, hold_at(change.after.holds, change.at)
    return TermsView(
        lead_id=assignment.lead_id,
        assignment_id=assignment.id,
        rep=assignment.by.rep,
        team=assignment.by.team,
        revision=assignment.revision + 1,
        on_hold=lasting is not None,
        hold_until=lasting.until if lasting else None,
        respond_by=deadlines.get("response"),
        contact_by=deadlines.get("contact"),
        disposition_by=deadlines.get("disposition"),
    )
