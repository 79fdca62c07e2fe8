"""Trying again for leads that stand unrouted: with a new configuration, when somebody is free, and now and then."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text

from relance.database import Database
from relance_router import metrics
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.routing.assigning import Assigner
from relance_router.routing.leads import lock_unrouted, transaction_time

LOOK_EVERY = timedelta(seconds=1)
BATCH = 500

_COUNT = text("SELECT count(*) FROM unrouted")


class UnroutedLeads:
    """Several replicas may retry: each takes leads that no other has locked."""

    def __init__(
        self,
        database: Database,
        versions: ConfigurationVersions,
        assigner: Assigner,
        on_committed: Callable[[], None],
    ) -> None:
        self._database = database
        self._versions = versions
        self._assigner = assigner
        self._on_committed = on_committed
        self._somebody_is_free = False

    def somebody_is_free(self) -> None:
        """A rep may take a lead who could not before: the next retry does not wait for anybody's patience."""
        self._somebody_is_free = True

    async def retry(self) -> timedelta:
        """Try one batch; returns when to try next."""
        impatient, self._somebody_is_free = self._somebody_is_free, False
        async with self._database.transaction() as connection:
            running = await self._versions.running(connection)
            requests = await lock_unrouted(connection, configuration=running.version, impatient=impatient, batch=BATCH)
            await self._assigner.assign(connection, running, requests, await transaction_time(connection))
            standing = (await connection.execute(_COUNT)).scalar_one()
        metrics.UNROUTED_NOW.set(standing)
        if requests:
            self._on_committed()
        return LOOK_EVERY if len(requests) < BATCH or impatient else timedelta()
