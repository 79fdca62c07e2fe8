"""Trying again for leads that stand unrouted: at once when the configuration changes, and every few seconds."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text

from relance import faults
from relance.database import Database
from relance.logs import get_logger
from relance_router import metrics
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.routing.assigning import Assigner
from relance_router.routing.leads import lock_unrouted, transaction_time

log = get_logger(__name__)

LOOK_EVERY = timedelta(seconds=1)
PATIENCE = timedelta(seconds=2)
"""How long a lead stands before it is tried again with the same configuration: somebody may be free by then."""
BATCH = 500

_COUNT = text("SELECT count(*) FROM unrouted")


class UnroutedRetry:
    """Several replicas may run it: each takes leads that no other has locked."""

    def __init__(
        self, database: Database, versions: ConfigurationVersions, assigner: Assigner, on_committed: Callable[[], None]
    ) -> None:
        self._database = database
        self._versions = versions
        self._assigner = assigner
        self._on_committed = on_committed
        self._wake = asyncio.Event()
        self._stopping = False

    def nudge(self) -> None:
        """Say that something has changed."""
        self._wake.set()

    def request_stop(self) -> None:
        """Stop after the batch in hand."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Retry until stopped."""
        while not self._stopping:
            self._wake.clear()
            try:
                tried = await self.retry()
            except Exception as error:
                if not faults.is_transient(error):
                    raise
                log.warning("unrouted leads not tried", error=repr(error))
                tried = 0
            if tried < BATCH:
                await self._sleep()

    async def retry(self) -> int:
        """Try one batch; returns how many leads were tried."""
        async with self._database.transaction() as connection:
            running = await self._versions.running(connection)
            requests = await lock_unrouted(connection, configuration=running.version, patience=PATIENCE, batch=BATCH)
            await self._assigner.assign(connection, running, requests, await transaction_time(connection))
            standing = (await connection.execute(_COUNT)).scalar_one()
        metrics.UNROUTED_NOW.set(standing)
        if requests:
            self._on_committed()
        return len(requests)

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY.total_seconds()):
                await self._wake.wait()
        except TimeoutError:
            return
