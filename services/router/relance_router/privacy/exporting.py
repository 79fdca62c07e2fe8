"""All that the router holds of leads, opened."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database, sealed
from relance_router.privacy.documents import Export, HeldLead

_LEADS = text("""
    SELECT id AS lead_id, routed_at, erased_at, company_domain, data, joined FROM leads
    WHERE id = ANY(CAST(:leads AS uuid[])) ORDER BY id
""")
_MORE = {
    "replaced": text("""
        SELECT lead_id, revision, data FROM replaced_leads
        WHERE lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY revision
    """),
    "assignments": text("""
        SELECT lead_id, id AS assignment_id, ordinal, rep, team, rule, why, state, disposition, assigned_at, respond_by,
            ended_at, configuration, explanation
        FROM assignments WHERE lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY ordinal
    """),
    "unrouted": text("""
        SELECT lead_id, reason, since, tried_at, until, teams, explanation
        FROM unrouted WHERE lead_id = ANY(CAST(:leads AS uuid[]))
    """),
    "offers": text("""
        SELECT lead_id, id AS offer_id, rep, team, state, offered_at, until
        FROM offers WHERE lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY id
    """),
    "answers": text("""
        SELECT a.lead_id, s.assignment_id, s.answer, s.code, s.reason AS words, s.responded_at
        FROM answers s JOIN assignments a ON a.id = s.assignment_id
        WHERE a.lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY s.responded_at
    """),
    "dispositions": text("""
        SELECT a.lead_id, d.assignment_id, d.disposition, d.reason, d.note AS words, d.recorded_at
        FROM dispositions d JOIN assignments a ON a.id = d.assignment_id
        WHERE a.lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY d.recorded_at
    """),
    "interventions": text("""
        SELECT lead_id, id AS intervention_id, assignment_id, what, by, reason, details, at
        FROM interventions WHERE lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY at
    """),
    "notifications": text("""
        SELECT lead_id, id AS notification_id, assignment_id, type, endpoint, state, details, created_at, settled_at,
            last_error
        FROM notifications WHERE lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY sequence
    """),
    "delivery_attempts": text("""
        SELECT n.lead_id, t.notification_id, t.way, t.at, t.status, t.error, t.response
        FROM delivery_attempts t JOIN notifications n ON n.id = t.notification_id
        WHERE n.lead_id = ANY(CAST(:leads AS uuid[])) ORDER BY t.at
    """),
}
"""By the name of the document's field."""


async def export(database: Database, leads: Sequence[UUID]) -> Export:
    """All that is held of these leads, at one moment for each kind of it."""
    values = {"leads": sorted(set(leads))}
    async with database.transaction() as connection:
        found = (await connection.execute(_LEADS, values)).mappings().all()
        more: dict[UUID, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        for name, query in _MORE.items():
            for row in (await connection.execute(query, values)).mappings():
                more[row["lead_id"]][name].append(_opened(connection, row))
    return Export(leads=[HeldLead.model_validate({**lead, **more[lead["lead_id"]]}) for lead in found])


def _opened(connection: AsyncConnection, row: RowMapping) -> Mapping[str, Any]:
    words = row.get("words")
    return dict(row) if words is None else {**row, "words": sealed(connection).open(words)}
