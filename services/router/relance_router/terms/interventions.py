"""What operators did to leads by hand: who, why and when, for whoever asks later."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.ids import AssignmentId, LeadId
from relance_router.domain.interventions import KeyUsedTwice

What = Literal["extended", "held", "released", "reassigned", "separated"]

_RECORD = text("""
    INSERT INTO interventions (
        id, lead_id, assignment_id, what, by, reason, details, at, idempotency_key, asked, answer
    )
    VALUES (
        :id, :lead_id, :assignment_id, :what, :by, :reason, CAST(:details AS jsonb), :at,
        :key, CAST(:asked AS jsonb), CAST(:answer AS jsonb)
    )
""")
_REPEATED = text("""
    SELECT what, by, reason, asked, answer FROM interventions WHERE lead_id = :lead AND idempotency_key = :key
""")
_OF_LEAD = text("""
    SELECT id, lead_id, assignment_id, what, by, reason, details, at FROM interventions
    WHERE lead_id = :lead ORDER BY at, id
""")


@dataclass(frozen=True)
class Intervention:
    """One thing done by hand. `details` is plain JSON: what exactly was done."""

    id: UUID
    lead_id: LeadId
    assignment_id: AssignmentId | None
    what: What
    by: str
    reason: str
    details: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True)
class Order:
    """Who wants something done to a lead, and why; `key` tells the order that is sent again from a new one."""

    lead: LeadId
    by: str
    reason: str
    key: str | None = None


async def answer_before(
    connection: AsyncConnection, order: Order, what: What, asked: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """What the same order was answered with when it was carried out; None: it is new. Ask under the lead's lock.

    Raises:
        KeyUsedTwice: another order for the lead came with this key.
    """
    if order.key is None:
        return None
    row = (await connection.execute(_REPEATED, {"lead": order.lead, "key": order.key})).one_or_none()
    if row is None:
        return None
    if (row.what, row.by, row.reason, row.asked) != (what, order.by, order.reason, asked):
        raise KeyUsedTwice(
            "This key came with another order for the lead before. Nothing was done: use a new key for a new order."
        )
    answer: Mapping[str, Any] = row.answer
    return answer


async def record(
    connection: AsyncConnection,
    intervention: Intervention,
    *,
    key: str | None = None,
    asked: Mapping[str, Any] | None = None,
    answer: Mapping[str, Any] | None = None,
) -> None:
    """Keep it, in the transaction that does it; with a `key`, what was `asked` and the `answer` for `answer_before`."""
    kept = {"asked": json.dumps(asked), "answer": json.dumps(answer)} if key else {"asked": None, "answer": None}
    details = json.dumps(intervention.details)
    await connection.execute(_RECORD, {**vars(intervention), "details": details, "key": key, **kept})


async def interventions_of(connection: AsyncConnection, lead: LeadId) -> Sequence[Intervention]:
    """Everything done to a lead, the oldest first."""
    return [Intervention(**row) for row in (await connection.execute(_OF_LEAD, {"lead": lead})).mappings()]
