"""A touch that was no touch, separated by hand: from then on it is a lead like any other; on record, with the event."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text

from relance import outbox
from relance.database import Database
from relance.events import LeadSeparated
from relance.ids import LeadId, NewId
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries.announcements import touched_key
from relance_router.deliveries.notifications import cancel_notification
from relance_router.domain.interventions import InterventionRefused
from relance_router.domain.routing import Held, Offered
from relance_router.routing.assigning import Assigner
from relance_router.routing.assignments import Made, event
from relance_router.routing.leads import lock_lead, lock_leads
from relance_router.routing.requests import Cause
from relance_router.terms.assignments import time_now
from relance_router.terms.by_hand import lock_lead_row
from relance_router.terms.interventions import Intervention, Order, record

_SEPARATE = text("UPDATE leads SET joined = NULL, joining = NULL WHERE id = :lead")


@dataclass(frozen=True)
class Separated:
    """What became of the touch; it had joined `joined`."""

    outcome: Made | Offered | Held
    joined: LeadId


class Separation:
    """Separates touches."""

    def __init__(
        self,
        database: Database,
        versions: ConfigurationVersions,
        assigner: Assigner,
        new_id: NewId,
        on_committed: Callable[[], None],
    ) -> None:
        self._database = database
        self._versions = versions
        self._assigner = assigner
        self._new_id = new_id
        self._on_committed = on_committed

    async def separate(self, order: Order) -> Separated:
        """Make a lead of its own of a touch, and route it.

        Raises:
            UnknownLead: the router has not got it.
            InterventionRefused: it is no touch.
        """
        async with self._database.transaction() as connection:
            running = await self._versions.running(connection)
            # With the lead that it joined: the owner may be about to hear of it.
            await lock_leads(connection, [order.lead])
            joined = await lock_lead_row(connection, order.lead)
            if joined is None:
                raise InterventionRefused("The lead has joined no other: there is nothing to separate.")
            now = await time_now(connection)
            await connection.execute(_SEPARATE, {"lead": order.lead})
            await cancel_notification(connection, touched_key(order.lead), now)
            request = await lock_lead(connection, order.lead, Cause.SEPARATED)
            told = LeadSeparated(lead_id=order.lead, joined=joined, by=order.by, separated_at=now)
            await outbox.append(connection, [event(told, request, now, self._new_id)])
            (outcome,) = await self._assigner.assign(connection, running, [request], now)
            assignment = outcome.id if isinstance(outcome, Made) else None
            details = {"joined": str(joined)}
            done = Intervention(
                self._new_id(), order.lead, assignment, "separated", order.by, order.reason, details, now
            )
            await record(connection, done)
        self._on_committed()
        return Separated(outcome, joined)
