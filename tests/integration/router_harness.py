"""A router without Kafka and HTTP: its handlers, on a database of the test's own."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from tests.integration.events import NOW, envelope, lead

from relance import inbox
from relance.database import Database
from relance.events import Envelope, ErasureRequested, LeadReceived, StepFired
from relance.events.assignment import ClockName, StepAction
from relance.ids import AssignmentId, ErasureId, EventId, LeadId, new_id
from relance_router.answers.recording import AnswerRecorder
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.routing.assigning import Assigner
from relance_router.routing.explanations import Explanations
from relance_router.routing.handler import RoutingHandler
from relance_router.routing.people import People
from relance_router.routing.unrouted import UnroutedLeads
from relance_router.terms.applied import AppliedTerms
from relance_router.terms.by_hand import TermsByHand
from relance_router.terms.reassigning import Reassignment
from relance_router.terms.separating import Separation

TEAM = ("anna", "ben", "chloe")


class Router:
    """A router without Kafka and HTTP."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.versions = ConfigurationVersions()
        assigner = Assigner(new_id)
        self.handler = RoutingHandler(self.versions, assigner, new_id)
        self.recorder = AnswerRecorder(database, self.versions, assigner, new_id, lambda *_: None)
        self.unrouted = UnroutedLeads(database, self.versions, assigner, new_id, lambda: None)
        self.explanations = Explanations(database, self.versions)
        self.people = People(database, self.versions, new_id)
        self.terms = AppliedTerms(database, self.versions, new_id, lambda: None)
        self.by_hand = TermsByHand(database, self.versions, new_id, lambda: None)
        self.reassignment = Reassignment(database, self.versions, assigner, new_id, lambda _: None)
        self.separation = Separation(database, self.versions, assigner, new_id, lambda: None)

    async def apply(self, content: str) -> None:
        async with self.database.transaction() as connection:
            await self.versions.apply(connection, content)

    async def bring(self) -> None:
        """Bring open assignments to the terms of what runs, as far as nobody else has them."""
        while not await self.terms.bring():
            pass

    async def consume(self, events: Sequence[Envelope], *, then_die: Exception | None = None) -> None:
        """A polled batch, as the consumer loop handles it; `then_die` before the commit."""
        async with self.database.transaction() as connection:
            new = await inbox.claim(connection, "router", [event.id for event in events])
            await self.handler(connection, [event for event in events if event.id in new])
            if then_die:
                raise then_die

    async def handle(self, events: Sequence[Envelope]) -> None:
        async with self.database.transaction() as connection:
            await self.handler(connection, events)

    async def leads(self, count: int, team: str = "sales") -> list[LeadReceived]:
        """New leads for a team, in one batch."""
        return await self.route([lead(team=team) for _ in range(count)])

    async def route(self, leads: list[LeadReceived]) -> list[LeadReceived]:
        """Route these leads in one batch."""
        await self.handle([envelope(each) for each in leads])
        return leads

    async def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        async with self.database.transaction() as connection:
            return [dict(row) for row in (await connection.execute(text(query), values)).mappings()]

    async def execute(self, statement: str) -> None:
        """A statement without rows."""
        async with self.database.transaction() as connection:
            await connection.execute(text(statement))

    async def owner(self, lead_id: LeadId) -> dict[str, Any]:
        (row,) = await self.rows("SELECT * FROM assignments WHERE lead_id = :id AND ended_at IS NULL", id=lead_id)
        return row

    async def books(self) -> None:
        """What must hold whatever has happened."""
        counted = """
            SELECT rep, count(*) AS held FROM assignments
            WHERE state IN ('open', 'acknowledged') AND coalesce(disposition, 'accepted') = 'accepted' GROUP BY rep
        """
        held = {row["rep"]: row["held"] for row in await self.rows(counted)}
        kept = {row["rep"]: row["open_leads"] for row in await self.rows("SELECT * FROM reps WHERE open_leads > 0")}
        assert kept == held, "leads in hand"
        nowhere = await self.rows("""
            SELECT id FROM leads l WHERE
                (SELECT count(*) FROM assignments a WHERE a.lead_id = l.id AND ended_at IS NULL)
                + (SELECT count(*) FROM unrouted u WHERE u.lead_id = l.id)
                + CAST(l.joined IS NOT NULL AS integer) <> 1
                AND erased_at IS NULL
        """)
        assert nowhere == [], "every lead has one owner, stands unrouted, has joined another, or was erased"
        for row in await self.rows("SELECT id FROM leads WHERE erased_at IS NULL"):
            for decision in await self.explanations.of_lead(row["id"]):
                assert decision.explanation.same, (decision, "made again, the decision is another")
        told = await self.rows("SELECT count(*) FROM notifications WHERE type = 'lead.assigned'")
        # Whoever claimed a lead knows already.
        to_tell = await self.rows("SELECT count(*) FROM assignments WHERE explanation -> 'chosen' ->> 'by' <> 'claim'")
        assert told == to_tell, "one notification per assignment"


def erasure(*leads: LeadId, erasure_id: ErasureId | None = None, part: int = 0) -> Envelope:
    """Ingest says that these leads are to be erased."""
    data = ErasureRequested(
        erasure_id=erasure_id or ErasureId(new_id()), part=part, lead_ids=leads, because="request", requested_at=NOW
    )
    return Envelope(EventId(new_id()), "relance/ingest", "somebody", NOW, "", data)


def step(
    assignment: dict[str, Any],
    action: StepAction,
    name: str | None = None,
    *,
    clock: ClockName = "response",
    **more: Any,
) -> Envelope:
    """The SLA monitor says that a step fell due; `more` is what else it says of it."""
    fired = StepFired(
        assignment_id=AssignmentId(assignment["id"]),
        lead_id=LeadId(assignment["lead_id"]),
        clock=clock,
        step=name or action,
        action=action,
        rep=assignment["rep"],
        team=assignment["team"],
        due_at=NOW,
        fired_at=NOW,
        deadline=NOW,
        response_window=timedelta(minutes=1),
        **more,
    )
    return Envelope(EventId(new_id()), "relance/sla-monitor", str(assignment["lead_id"]), NOW, "", fired)
