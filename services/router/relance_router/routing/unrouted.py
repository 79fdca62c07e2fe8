"""Trying again for leads that stand unrouted: with a new configuration, when somebody is free, and now and then."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from sqlalchemy import text

from relance.database import Database
from relance.ids import NewId
from relance_router import metrics
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.domain.answers import AssignmentState
from relance_router.domain.routing import HeldBecause
from relance_router.routing.assigning import Assigner
from relance_router.routing.leads import lock_unrouted, transaction_time
from relance_router.routing.offers import close_offers
from relance_router.routing.requests import Cause

LOOK_EVERY = timedelta(seconds=1)
BATCH = 500
CLOSED = "closed"
"""What the metric calls leads that wait for working hours: nobody is there, and it is known when somebody will be."""
_LONGEST_CLOSED = timedelta(days=5)
"""Easter. Who waits longer has nobody: the only rep is away for weeks."""

# What is due and was not taken is in another replica's hands.
_STANDING = text(f"""
    SELECT
        CASE WHEN reason <> '{HeldBecause.OFFERED.value}' AND until > now() AND until < since + :closed
            THEN '{CLOSED}' ELSE reason END AS stands,
        count(*) AS leads, min(until) FILTER (WHERE until > now()) - clock_timestamp() AS next_in
    FROM unrouted GROUP BY stands
""")


class UnroutedLeads:
    """Several replicas may retry: each takes leads that no other has locked."""

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
        self._freed: set[str] = set()
        self._freed_at: datetime | None = None
        """When the batches began that go through all leads of the freed teams; None: at the next one."""

    def is_free(self, teams: Collection[str]) -> None:
        """Somebody of these teams may take a lead who could not before: their leads are tried at the next turn."""
        self._freed |= set(teams)
        self._freed_at = None

    async def retry(self) -> timedelta:
        """Try one batch; returns when to try next."""
        freed, self._freed = self._freed, set()
        try:
            return await self._retry(freed)
        except BaseException:
            self.is_free(freed)
            raise

    async def _retry(self, freed: Collection[str]) -> timedelta:
        began = self._freed_at
        async with self._database.transaction() as connection:
            running = await self._versions.running(connection)
            now = await transaction_time(connection)
            requests = await lock_unrouted(
                connection, configuration=running.version, freed=freed, freed_at=began or now, batch=BATCH
            )
            unclaimed = [request.lead.lead_id for request in requests if request.cause is Cause.UNCLAIMED]
            await close_offers(connection, unclaimed, now, self._new_id, state=AssignmentState.EXPIRED)
            await self._assigner.assign(connection, running, requests, now)
            standing = (await connection.execute(_STANDING, {"closed": _LONGEST_CLOSED})).all()
        leads = {row.stands: row.leads for row in standing}
        for stands in (*(reason.value for reason in HeldBecause), CLOSED):
            metrics.UNROUTED_NOW.labels(stands).set(leads.get(stands, 0))
        if requests:
            self._on_committed()
        if len(requests) == BATCH:
            if not self._freed:
                self._freed, self._freed_at = set(freed), began or now
            return timedelta()
        next_in: timedelta = min([LOOK_EVERY, *(row.next_in for row in standing if row.next_in is not None)])
        return max(timedelta(), next_in)
