"""Offers: a lead that several reps may claim, of whom exactly one gets it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.ids import AssignmentId, LeadId, NewId
from relance_router.configuration.versions import Running
from relance_router.deliveries import announcements
from relance_router.deliveries.notifications import cancel_notifications, write_notifications
from relance_router.domain.answers import AssignmentState
from relance_router.domain.routing import Offered
from relance_router.domain.rules import Match
from relance_router.routing.requests import Request


@dataclass(frozen=True)
class Asked:
    """A lead that is to be offered."""

    request: Request
    found: Match
    offered: Offered


@dataclass(frozen=True)
class Offer:
    """One rep's offer. Its id becomes the assignment's, and its state is then OPEN: the assignment has its own."""

    id: AssignmentId
    lead_id: LeadId
    rep: str
    team: str
    state: AssignmentState
    configuration: int
    record: Mapping[str, Any]
    """What is stored to make the decision to offer again."""


_OFFER = text("""
    INSERT INTO offers (id, lead_id, rep, team, state, offered_at, until, configuration)
    SELECT id, lead_id, rep, team, 'open', :now, until, :configuration
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:lead_ids AS uuid[]), CAST(:reps AS text[]), CAST(:teams AS text[]),
        CAST(:untils AS timestamptz[])
    ) AS given (id, lead_id, rep, team, until)
""")
_FIND = text("""
    SELECT o.id, o.lead_id, o.rep, o.team, o.state, o.configuration,
        u.explanation || jsonb_build_object('offered_at', o.offered_at) AS record
    FROM offers o LEFT JOIN unrouted u ON u.lead_id = o.lead_id WHERE o.id = :id
""")
_CLOSE = text("""
    UPDATE offers SET state = CASE WHEN id = :claimed THEN 'claimed' ELSE :state END
    WHERE lead_id = ANY(CAST(:lead_ids AS uuid[])) AND state = 'open'
    RETURNING id, rep, lead_id
""")
_DECLINE = text("UPDATE offers SET state = 'declined' WHERE id = :id AND state = 'open'")
_STILL_ASKED = text("SELECT count(*) FROM offers WHERE lead_id = :lead_id AND state = 'open'")


async def offer_leads(
    connection: AsyncConnection, running: Running, asked: Sequence[Asked], now: datetime, new_id: NewId
) -> None:
    """Write an offer for each lead and rep, and tell the reps."""
    offers = [(each, AssignmentId(new_id()), rep) for each in asked for rep in each.offered.reps]
    if not offers:
        return
    columns: dict[str, Sequence[object]] = {
        "ids": [offer for _, offer, _ in offers],
        "lead_ids": [each.request.lead.lead_id for each, _, _ in offers],
        "reps": [rep for _, _, rep in offers],
        "teams": [each.offered.team for each, _, _ in offers],
        "untils": [each.offered.until for each, _, _ in offers],
    }
    await connection.execute(_OFFER, {**columns, "now": now, "configuration": running.version})
    told = [
        announcements.offered(
            announcements.Holder(rep, offer, each.request.lead.lead_id, each.request.traceparent),
            team=each.offered.team,
            why=f"offered to team {each.offered.team} by rule {each.found.rule}: the first to claim it gets it",
            claim_by=each.offered.until,
            at=now,
            new_id=new_id,
        )
        for each, offer, rep in offers
    ]
    await write_notifications(connection, told)


async def find_offer(connection: AsyncConnection, offer: AssignmentId) -> Offer | None:
    """An offer by its id. Lock its lead before acting on it, and find it again."""
    row = (await connection.execute(_FIND, {"id": offer})).one_or_none()
    if row is None:
        return None
    return Offer(
        AssignmentId(row.id),
        LeadId(row.lead_id),
        row.rep,
        row.team,
        state_of_offer(row.state),
        row.configuration,
        row.record or {},
    )


def state_of_offer(stored: str) -> AssignmentState:
    """An offer's state as its rep sees it."""
    return {"open": AssignmentState.OFFERED, "claimed": AssignmentState.OPEN}.get(stored) or AssignmentState(stored)


async def close_offers(
    connection: AsyncConnection,
    leads: Sequence[LeadId],
    now: datetime,
    new_id: NewId,
    *,
    state: AssignmentState,
    claimed: AssignmentId | None = None,
    given_to: str | None = None,
) -> None:
    """End the open offers of leads as `taken` or `expired`, but `claimed`; who had one hears that it is over.

    But not the rep `given_to`, who has the lead now.
    """
    rows = await connection.execute(_CLOSE, {"lead_ids": list(leads), "claimed": claimed, "state": state.value})
    over = [row for row in rows if row.id != claimed]
    if not over:
        return
    await cancel_notifications(connection, [AssignmentId(row.id) for row in over], now)
    told = [
        announcements.offer_over(
            announcements.Holder(row.rep, AssignmentId(row.id), LeadId(row.lead_id), traceparent=""),
            at=now,
            new_id=new_id,
        )
        for row in over
        if state is AssignmentState.TAKEN and row.rep != given_to
    ]
    await write_notifications(connection, told)


async def decline_offer(connection: AsyncConnection, offer: Offer) -> bool:
    """The rep does not want it. Whether anybody is still asked."""
    await connection.execute(_DECLINE, {"id": offer.id})
    return bool((await connection.execute(_STILL_ASKED, {"lead_id": offer.lead_id})).scalar_one())
