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

What = Literal["extended", "held", "released", "reassigned", "separated"]

_RECORD = text("""
    INSERT INTO interventions (id, lead_id, assignment_id, what, by, reason, details, at)
    VALUES (:id, :lead_id, :assignment_id, :what, :by, :reason, CAST(:details AS jsonb), :at)
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


async def record(connection: AsyncConnection, intervention: Intervention) -> None:
    """Keep it, in the transaction that does it."""
    await connection.execute(_RECORD, {**vars(intervention), "details": json.dumps(intervention.details)})


async def interventions_of(connection: AsyncConnection, lead: LeadId) -> Sequence[Intervention]:
    """Everything done to a lead, the oldest first."""
    return [Intervention(**row) for row in (await connection.execute(_OF_LEAD, {"lead": lead})).mappings()]
