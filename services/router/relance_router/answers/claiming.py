"""Answers to offers: the first to claim a lead gets it, exactly one; who does not want it is asked no more."""

from sqlalchemy.ext.asyncio import AsyncConnection

from relance.events.response import Answer
from relance.ids import NewId
from relance_router.configuration.versions import ConfigurationVersions, Running
from relance_router.domain.answers import AssignmentState, Recorded, Refused, Repeated, answer
from relance_router.routing.assigning import Assigner, Claim
from relance_router.routing.leads import as_it_was, lock_lead, transaction_time
from relance_router.routing.offers import Offer, close_offers, decline_offer, find_offer
from relance_router.routing.pauses import answered
from relance_router.routing.requests import Cause


class OfferDesk:
    """Takes answers to offers."""

    def __init__(self, versions: ConfigurationVersions, assigner: Assigner, new_id: NewId) -> None:
        self._versions = versions
        self._assigner = assigner
        self._new_id = new_id

    async def answer(
        self, connection: AsyncConnection, running: Running, offered: Offer, given: Answer
    ) -> Recorded | Repeated | Refused:
        """Answer an offer. `Recorded(OPEN)` says that there is an assignment under its id now, to be answered for."""
        request = await lock_lead(connection, offered.lead_id, Cause.CLAIMED)
        # Again, under the lock: somebody may have been faster.
        offer = await find_offer(connection, offered.id) or offered
        if offer.state is AssignmentState.OPEN:
            await answered(connection, offer.rep)
            return Recorded(AssignmentState.OPEN)
        verdict = answer(offer.state, given)
        if not isinstance(verdict, Recorded):
            return verdict
        await answered(connection, offer.rep)
        now = await transaction_time(connection)
        if verdict.state is AssignmentState.DECLINED:
            if not await decline_offer(connection, offer):
                unclaimed = await lock_lead(connection, offer.lead_id, Cause.UNCLAIMED)
                await self._assigner.assign(connection, running, [unclaimed], now)
            return verdict
        # What was offered was promised by what was known then.
        request = await as_it_was(connection, request, offer.record.get("revision", 0))
        former = await self._versions.version(connection, offer.configuration)
        await self._assigner.claim(connection, running, Claim(offer, request, former), now)
        await close_offers(
            connection, [offer.lead_id], now, self._new_id, state=AssignmentState.TAKEN, claimed=offer.id
        )
        return Recorded(AssignmentState.OPEN)
