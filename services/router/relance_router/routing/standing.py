"""Leads that have no owner yet: they stand in `unrouted`, with the reason, where everybody can see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance import outbox
from relance.database import after_commit
from relance.events import LeadUnrouted
from relance.ids import LeadId, NewId
from relance_router import metrics
from relance_router.configuration.versions import Running
from relance_router.domain.routing import Held, HeldBecause, Offered
from relance_router.routing.assignments import event, explanation
from relance_router.routing.requests import Request


@dataclass(frozen=True)
class Standing:
    """A lead that is to stand unrouted. `teams` are those that could take it, first its rule's."""

    request: Request
    outcome: Held | Offered
    teams: tuple[str, ...]
    record: Mapping[str, Any]

    @property
    def because(self) -> HeldBecause:
        """Why it stands."""
        return self.outcome.because


_STAND = text("""
    INSERT INTO unrouted (lead_id, reason, explanation, configuration, since, tried_at, until, teams)
    SELECT lead_id, reason, CAST(explanation AS jsonb), :configuration, :now, :now, until, string_to_array(teams, ' ')
    FROM unnest(
        CAST(:lead_ids AS uuid[]), CAST(:reasons AS text[]), CAST(:explanations AS text[]),
        CAST(:untils AS timestamptz[]), CAST(:teams AS text[])
    ) AS given (lead_id, reason, explanation, until, teams)
    ON CONFLICT (lead_id) DO UPDATE SET
        reason = excluded.reason, explanation = excluded.explanation, configuration = excluded.configuration,
        tried_at = excluded.tried_at, until = excluded.until, teams = excluded.teams
""")
_STAND_NO_LONGER = text("DELETE FROM unrouted WHERE lead_id = ANY(CAST(:lead_ids AS uuid[]))")


async def stand_unrouted(
    connection: AsyncConnection, running: Running, standing: Sequence[Standing], now: datetime, new_id: NewId
) -> None:
    """Let leads stand; those that stood already are told of no more."""
    if not standing:
        return
    columns: dict[str, Sequence[object]] = {
        "lead_ids": [each.request.lead.lead_id for each in standing],
        "reasons": [each.because.value for each in standing],
        "explanations": [explanation(each.request, {**each.record, "stands": each.because.value}) for each in standing],
        "untils": [each.outcome.until for each in standing],
        "teams": [" ".join(each.teams) for each in standing],
    }
    await connection.execute(_STAND, {**columns, "configuration": running.version, "now": now})
    news = [each for each in standing if not each.request.cause.stood_unrouted]
    await outbox.append(connection, [event(_unrouted(each, now), each.request, now, new_id) for each in news])
    after_commit(connection, lambda: _count(standing))


def _count(standing: Sequence[Standing]) -> None:
    for each in standing:
        metrics.UNROUTED.labels(each.because.value).inc()


async def stand_no_longer(connection: AsyncConnection, leads: Sequence[LeadId]) -> None:
    """These leads have an owner."""
    if leads:
        await connection.execute(_STAND_NO_LONGER, {"lead_ids": list(leads)})


def _unrouted(standing: Standing, now: datetime) -> LeadUnrouted:
    lead = standing.request.lead
    return LeadUnrouted(
        lead_id=lead.lead_id,
        source=lead.source,
        channel=lead.channel,
        campaign=lead.campaign,
        received_at=lead.received_at,
        unrouted_at=now,
        reason=standing.because.value,
        team=standing.teams[0],
        until=standing.outcome.until,
    )
