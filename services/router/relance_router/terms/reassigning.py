"""A lead taken from its rep by hand, or given to a rep: on record, with the events, and told to both."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance.ids import NewId
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries import announcements
from relance_router.deliveries.notifications import write_notifications
from relance_router.domain.answers import AssignmentState
from relance_router.domain.explanation import HELD_IN_WORDS
from relance_router.domain.interventions import InterventionRefused
from relance_router.domain.routing import Hand, Held, Offered
from relance_router.routing.assigning import Assigner
from relance_router.routing.assignments import Made
from relance_router.routing.leads import lock_lead, lock_owned
from relance_router.routing.offers import close_offers
from relance_router.routing.people import UnknownRep
from relance_router.routing.requests import Cause, Owner, Request
from relance_router.terms.assignments import time_now
from relance_router.terms.by_hand import lock_lead_of_its_own
from relance_router.terms.documents import ReassignedView
from relance_router.terms.interventions import Intervention, Order, answer_before, record

_OPEN = text("SELECT id, disposition FROM assignments WHERE lead_id = :lead AND ended_at IS NULL")
_OVER = frozenset({"won", "lost"})


class Reassignment:
    """Gives leads to other reps."""

    def __init__(
        self,
        database: Database,
        versions: ConfigurationVersions,
        assigner: Assigner,
        new_id: NewId,
        on_committed: Callable[[str | None], None],
    ) -> None:
        """`on_committed` is told after everything that was done, with the rep who has a lead less in hand."""
        self._database = database
        self._versions = versions
        self._assigner = assigner
        self._new_id = new_id
        self._on_committed = on_committed

    async def reassign(self, order: Order, to: str | None) -> ReassignedView:
        """Give the lead to this rep, or to whoever is next and has not had it.

        Raises:
            UnknownLead: the router has not got it.
            UnknownRep: the configuration has no such rep.
            InterventionRefused: that rep has it, the lead is won or lost, or nobody else can take it; nothing changes.
            KeyUsedTwice: another order had its key.
        """
        asked = {"to": to}
        async with self._database.transaction() as connection:
            running = await self._versions.running(connection)
            await lock_lead_of_its_own(connection, order.lead)
            if answer := await answer_before(connection, order, "reassigned", asked):
                return ReassignedView.model_validate(answer)
            if to is not None and to not in running.configuration.reps_by_id:
                raise UnknownRep(f"There is no rep {to!r} in the configuration that runs.")
            request = await self._request(connection, order, to)
            now = await time_now(connection)
            (outcome,) = await self._assigner.assign(connection, running, [request], now)
            owner = request.owner
            if isinstance(outcome, Held):
                had_it = f": it stays with {owner.rep}" if owner else ""
                raise InterventionRefused(
                    f"Nobody else can take the lead, {HELD_IN_WORDS[outcome.because]}{had_it}. Say who is to have it."
                )
            if owner:
                await self._tell(connection, request, owner, order, now)
            else:
                taken = AssignmentState.TAKEN
                await close_offers(connection, [order.lead], now, self._new_id, state=taken, given_to=to)
            view = _view(order, owner, outcome)
            done = self._intervention(order, owner, outcome, now)
            await record(connection, done, key=order.key, asked=asked, answer=view.model_dump(mode="json"))
        self._on_committed(owner.rep if owner and owner.in_hand else None)
        return view

    async def _request(self, connection: AsyncConnection, order: Order, to: str | None) -> Request:
        # Read after the lock: what came before has been written.
        row = (await connection.execute(_OPEN, {"lead": order.lead})).one_or_none()
        hand = Hand(order.by, order.reason, to)
        if row is None:
            if to is None:
                raise InterventionRefused(
                    "Nobody has the lead: it stands unrouted, and goes to whoever can take it first. Say who is to "
                    "have it."
                )
            return replace(await lock_lead(connection, order.lead, Cause.GIVEN), hand=hand)
        if row.disposition in _OVER:
            raise InterventionRefused(f"The lead was {row.disposition}: there is nothing left to do for anybody.")
        (owned,) = await lock_owned(connection, [row.id])
        if owned.owner.rep == to:
            raise InterventionRefused(f"{to} has the lead already.")
        return replace(owned.needs_another(Cause.MOVED), hand=replace(hand, team=owned.owner.team))

    async def _tell(
        self, connection: AsyncConnection, request: Request, owner: Owner, order: Order, now: datetime
    ) -> None:
        told = announcements.taken_away(
            announcements.Holder(owner.rep, owner.assignment_id, order.lead, request.traceparent),
            by=order.by,
            why=order.reason,
            at=now,
            new_id=self._new_id,
        )
        await write_notifications(connection, [told])

    def _intervention(self, order: Order, owner: Owner | None, outcome: Made | Offered, now: datetime) -> Intervention:
        details: dict[str, Any] = {"from": owner.rep if owner else None}
        assignment = owner.assignment_id if owner else None
        if isinstance(outcome, Made):
            details |= {"to": outcome.assigned.rep, "team": outcome.assigned.team}
            assignment = assignment or outcome.id
        else:
            details |= {"offered_to": list(outcome.reps), "team": outcome.team}
        return Intervention(self._new_id(), order.lead, assignment, "reassigned", order.by, order.reason, details, now)


def _view(order: Order, owner: Owner | None, outcome: Made | Offered) -> ReassignedView:
    former = owner.rep if owner else None
    match outcome:
        case Made(id=assignment, assigned=assigned):
            return ReassignedView(
                lead_id=order.lead,
                former=former,
                assignment_id=assignment,
                rep=assigned.rep,
                team=assigned.team,
                offered_to=[],
            )
        case Offered(reps=reps, team=team):
            return ReassignedView(
                lead_id=order.lead, former=former, assignment_id=None, rep=None, team=team, offered_to=list(reps)
            )
