"""Loads what was stored of a lead's decisions, and has them explained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from relance.database import Database
from relance.events import LeadReceived
from relance.ids import AssignmentId, LeadId
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.domain.explanation import Explanation, Recorded, explain
from relance_router.domain.fair_choice import Place
from relance_router.domain.lead_facts import lead_facts
from relance_router.terms.interventions import Intervention, interventions_of

# The lead as it was known then: it may have been revised since.
_DECISIONS = text("""
    SELECT coalesce(replaced.data, l.data) AS data, d.*
    FROM leads l JOIN (
        SELECT lead_id, id AS assignment_id, state, assigned_at AS decided_at, ended_at, configuration, explanation
        FROM assignments WHERE lead_id = :id
        UNION ALL
        SELECT lead_id, NULL, reason, tried_at, NULL, configuration, explanation FROM unrouted WHERE lead_id = :id
    ) d ON d.lead_id = l.id
    LEFT JOIN replaced_leads replaced ON replaced.lead_id = l.id
        AND replaced.revision = CAST(coalesce(d.explanation ->> 'revision', '0') AS integer)
    ORDER BY d.decided_at, d.assignment_id
""")
_JOINING = text("SELECT joined, joining FROM leads WHERE id = :id")
_TOUCHES = text("SELECT id, joining FROM leads WHERE joined = :id ORDER BY id")
# A step into the index for each rep: a line's changes are as many as its leads.
_PLACES = text("""
    SELECT given.team, c.rep, c.start, c.away_since, c.away_because
    FROM unnest(CAST(:teams AS text[]), CAST(:numbers AS bigint[])) AS given (team, number)
    JOIN places p ON p.team = given.team
    CROSS JOIN LATERAL (
        SELECT rep, start, away_since, away_because FROM place_changes
        WHERE team = p.team AND rep = p.rep AND number <= given.number ORDER BY number DESC LIMIT 1
    ) c
""")


_ERASED_AT = text("SELECT erased_at FROM leads WHERE id = :id")


class LeadErased(LookupError):
    """Who the lead was has been forgotten, and with it why it went where it went."""

    def __init__(self, lead: LeadId, at: datetime) -> None:
        super().__init__(
            f"Lead {lead} was erased at {at:%Y-%m-%d %H:%M:%S} UTC, and with it what decisions were made of."
        )


class UnknownLead(LookupError):
    """The router has no such lead."""

    def __init__(self, lead: LeadId) -> None:
        super().__init__(f"The router has no lead {lead}. Was it accepted, and is the router running?")


@dataclass(frozen=True)
class ExplainedDecision:
    """One decision about a lead, explained. `state` is the assignment's, or why the lead stands unrouted."""

    assignment_id: AssignmentId | None
    state: str
    decided_at: datetime
    ended_at: datetime | None
    configuration: int
    explanation: Explanation


@dataclass(frozen=True)
class Conversation:
    """Of which lead a lead is a touch, or else its touches; the documents say how they were recognised."""

    joined: LeadId | None
    joining: Mapping[str, Any] | None
    touches: Mapping[LeadId, Mapping[str, Any]]


class Explanations:
    """Explains leads."""

    def __init__(self, database: Database, versions: ConfigurationVersions) -> None:
        self._database = database
        self._versions = versions

    async def of_lead(self, lead: LeadId) -> list[ExplainedDecision]:
        """Every decision that stands in the books for a lead, oldest first; of a touch there are none.

        Raises:
            UnknownLead: the router has not got it.
            LeadErased: it had it once.
        """
        async with self._database.transaction() as connection:
            erased_at = (await connection.execute(_ERASED_AT, {"id": lead})).scalar_one_or_none()
            if erased_at:
                raise LeadErased(lead, erased_at)
            rows = (await connection.execute(_DECISIONS, {"id": lead})).all()
            if not rows and (await connection.execute(_JOINING, {"id": lead})).one_or_none() is None:
                raise UnknownLead(lead)
            return [
                ExplainedDecision(
                    AssignmentId(row.assignment_id) if row.assignment_id else None,
                    row.state,
                    row.decided_at,
                    row.ended_at,
                    row.configuration,
                    explain(await self._recorded(connection, row)),
                )
                for row in rows
            ]

    async def conversation(self, lead: LeadId) -> Conversation:
        """What the lead has joined, or what has joined it.

        Raises:
            UnknownLead: the router has not got it.
        """
        async with self._database.transaction() as connection:
            row = (await connection.execute(_JOINING, {"id": lead})).one_or_none()
            if row is None:
                raise UnknownLead(lead)
            touches = await connection.execute(_TOUCHES, {"id": lead})
            return Conversation(row.joined, row.joining, {LeadId(touch.id): touch.joining for touch in touches})

    async def interventions(self, lead: LeadId) -> Sequence[Intervention]:
        """What was done to a lead by hand, the oldest first."""
        async with self._database.transaction() as connection:
            return await interventions_of(connection, lead)

    async def _recorded(self, connection: AsyncConnection, row: Any) -> Recorded:  # noqa: ANN401 - a database row
        running = await self._versions.version(connection, row.configuration)
        return Recorded(
            lead_facts(LeadReceived.model_validate(row.data)),
            running.configuration,
            running.version,
            datetime.fromisoformat(offered_at) if (offered_at := row.explanation.get("offered_at")) else row.decided_at,
            row.explanation,
            await _places(connection, row.explanation["lines"]),
        )


async def _places(connection: AsyncConnection, lines: Mapping[str, Any]) -> dict[str, dict[str, Place]]:
    columns = {"teams": list(lines), "numbers": [line["change"] for line in lines.values()]}
    places: dict[str, dict[str, Place]] = {team: {} for team in lines}
    for row in await connection.execute(_PLACES, columns):
        away = None if row.away_since is None else int(row.away_since)
        places[row.team][row.rep] = Place(int(row.start), away, row.away_because)
    return places
