"""The one way in: takes what front doors made of a submission, and answers once it is committed."""

from collections.abc import Callable

from relance.clock import Clock
from relance.database import Database
from relance.ids import NewId
from relance_ingest import metrics
from relance_ingest.acceptance.lead_store import LeadStore
from relance_ingest.acceptance.new_lead import Accepted, KeyUsedTwice, NewLead


class Acceptance:
    """Takes submissions into the database."""

    def __init__(self, database: Database, new_id: NewId, clock: Clock, on_committed: Callable[[], None]) -> None:
        self._store = LeadStore(database, new_id, clock)
        self._on_committed = on_committed

    async def accept(self, lead: NewLead) -> Accepted:
        """Commit one submission.

        Raises:
            KeyUsedTwice: its idempotency key belongs to another submission.
        """
        with metrics.ACCEPT_SECONDS.time():
            (outcome,) = await self._store.keep([lead])
        if isinstance(outcome, KeyUsedTwice):
            raise outcome
        counter = metrics.REVISED if outcome.revised else metrics.REPEATED if outcome.repeated else metrics.ACCEPTED
        counter.labels(lead.source, lead.channel).inc()
        if outcome.revised or not outcome.repeated:
            self._on_committed()
        return outcome
