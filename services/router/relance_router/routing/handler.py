"""What the router does with a polled batch: new leads get an owner, ignored ones another, reps and managers a word."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events import Envelope, ErasureRequested, LeadReceived, StepFired
from relance.events.assignment import TELLING, TELLING_OTHERS
from relance.ids import LeadId, NewId
from relance_router.configuration.versions import ConfigurationVersions, Running
from relance_router.deliveries import announcements
from relance_router.deliveries.notifications import write_notifications
from relance_router.domain.answers import AssignmentState
from relance_router.domain.same_person import Joining
from relance_router.domain.terms import waits
from relance_router.privacy.erasing import Eraser, to_erase
from relance_router.routing.assigning import Assigner
from relance_router.routing.leads import OwnedLead, keep, lock_owned, lock_standing, transaction_time
from relance_router.routing.pauses import pause_who_ignores
from relance_router.routing.requests import Cause, Request
from relance_router.routing.revisions import Revision, newest_revisions, revise, tell_owners
from relance_router.routing.touches import Met, meet, recognise, tell_touches
from relance_router.terms.revised import shorten
from relance_router.terms.skipping import skip

CARRIED_OUT = TELLING | {"reassign"}
"""What the router does when a step fires; of the rest it is only said that it has."""


class RoutingHandler:
    """Handles `leads.received` and `leads.sla`."""

    def __init__(
        self,
        versions: ConfigurationVersions,
        assigner: Assigner,
        new_id: NewId,
        is_free: Callable[[str], None] = lambda _rep: None,
    ) -> None:
        """`is_free` is told of reps who have lost a lead that was erased."""
        self._versions = versions
        self._assigner = assigner
        self._eraser = Eraser(new_id, is_free)
        self._new_id = new_id

    async def __call__(self, connection: AsyncConnection, events: Sequence[Envelope]) -> None:
        """Make the effects of these events in the transaction given."""
        running = await self._versions.running(connection)
        leads = {
            event.data.lead_id: Request(Cause.NEW, event.data, event.traceparent)
            for event in events
            if isinstance(event.data, LeadReceived)
        }
        revisions = newest_revisions(events)
        steps = [event.data for event in events if isinstance(event.data, StepFired)]
        now = await transaction_time(connection)
        erasures = [event for event in events if isinstance(event.data, ErasureRequested)]
        # All leads are locked before the lines are.
        # A revision tells everything: one that is there before its lead, which was a dead letter, is the lead.
        ahead = {id_: Request(Cause.NEW, each.lead, each.traceparent) for id_, each in revisions.items()}
        given = leads | {id_: request for id_, request in ahead.items() if id_ not in leads}
        lock_too: set[LeadId] = set()
        if revisions or erasures or running.configuration.same_person:
            lock_too = revisions.keys() | {step.lead_id for step in steps} | to_erase(erasures)
        newcomers = [request.lead for request in given.values()]
        met = await meet(connection, running.configuration, newcomers, lock_too=lock_too)
        # First: a lead that comes in the batch, too, is never routed, and nobody joins one that is erased.
        erased = await self._eraser.erase(connection, erasures, now)
        new, touches = await self._new(connection, running, list(given.values()), met, now) if given else ([], [])
        if revisions:
            new = await self._revise(connection, running, revisions, new, now)
        ignored = await self._escalate(connection, running, steps, now) if steps else []
        await self._assigner.assign(connection, running, [*new, *erased.orphaned, *ignored], now, freed=erased.freed)
        # Behind the assignments of leads that they joined in the same breath.
        await tell_touches(connection, touches, now, self._new_id)

    async def _new(
        self,
        connection: AsyncConnection,
        running: Running,
        leads: Sequence[Request],
        met: Met,
        now: datetime,
    ) -> tuple[list[Request], list[tuple[Request, Joining]]]:
        """Store leads; returns those that need an owner, and the touches of others."""
        newcomers = [request.lead for request in leads]
        joinings = await recognise(connection, running.configuration, newcomers, met, now)
        kept = await keep(connection, running.configuration, leads, joinings)
        new = [request for request in leads if request.lead.lead_id in kept]
        touches = [(request, joinings[request.lead.lead_id]) for request in new if request.lead.lead_id in joinings]
        return [request for request in new if request.lead.lead_id not in joinings], touches

    async def _revise(
        self,
        connection: AsyncConnection,
        running: Running,
        revisions: Mapping[LeadId, Revision],
        new: Sequence[Request],
        now: datetime,
    ) -> list[Request]:
        """Store what is newer; returns the new leads with what is known of them now, and those to be tried again."""
        newer = await revise(connection, running.configuration, list(revisions.values()))
        revised = [revisions[lead] for lead in sorted(newer)]
        known = {each.lead.lead_id: each.lead for each in revised}
        await shorten(connection, self._versions, running, known, self._new_id)
        await tell_owners(connection, revised, now, self._new_id)
        routed = [
            replace(request, lead=revisions[request.lead.lead_id].lead, revision=newer[request.lead.lead_id])
            if request.lead.lead_id in newer
            else request
            for request in new
        ]
        return [*routed, *await lock_standing(connection, list(newer))]

    async def _escalate(
        self, connection: AsyncConnection, running: Running, steps: Sequence[StepFired], now: datetime
    ) -> list[Request]:
        owned = {
            each.owner.assignment_id: each
            for each in await lock_owned(connection, sorted({step.assignment_id for step in steps}))
        }
        known = [(step, owned[step.assignment_id]) for step in steps if step.assignment_id in owned]
        # The clock may have been stopped while the step was under way: then there is nothing to escalate.
        waiting = [(step, lead) for step, lead in known if _still_waits(step, lead)]
        # But for what an outage has brought here behind the step that passed the lead on.
        behind = [(step, lead) for step, lead in known if _was_due_before(step, lead)]
        stale = [step for step, lead in waiting if _postponed(step, lead, now)]
        if stale:
            await skip(connection, self._versions, running, stale, self._new_id)
            waiting = [(step, lead) for step, lead in waiting if not _postponed(step, lead, now)]
        notifications = [
            notification
            for step, lead in [*waiting, *behind]
            for notification in announcements.escalated(
                running.configuration, step, lead.assigned_at, lead.traceparent, self._new_id
            )
        ]
        await write_notifications(connection, notifications)
        ignored: dict[object, OwnedLead] = {
            step.assignment_id: lead for step, lead in waiting if step.action == "reassign"
        }
        # Once for each lead, however often a step tries to find somebody else.
        first = {step.assignment_id for step, _ in waiting if step.action == "reassign" and step.occurrence == 1}
        unanswered = [
            lead.owner for id_, lead in ignored.items() if lead.state is AssignmentState.OPEN and id_ in first
        ]
        # First: who is paused now does not get another lead in the same breath.
        await pause_who_ignores(connection, running.configuration, unanswered, now, self._new_id)
        return [lead.needs_another(Cause.IGNORED) for lead in ignored.values()]


def _still_waits(step: StepFired, lead: OwnedLead) -> bool:
    return waits(step.clock, lead.state, disposed=lead.disposed)


def _was_due_before(step: StepFired, lead: OwnedLead) -> bool:
    """Whether others were to hear of it before the lead was passed on; what was due later goes on."""
    return step.action in TELLING_OTHERS and lead.passed_on_at is not None and step.due_at <= lead.passed_on_at


def _postponed(step: StepFired, lead: OwnedLead, now: datetime) -> bool:
    """Whether the step was fired before it was known that there is more time, which has not passed yet, or a hold."""
    if step.clock not in lead.changed or step.action not in CARRIED_OUT:
        return False
    due = lead.changed[step.clock]
    return due is None or due > max(step.deadline, now)
