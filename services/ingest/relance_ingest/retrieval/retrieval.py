"""Fetches what was told by reference, and has it looked at and accepted like any lead.

A reference is forgotten only after its lead was committed; between the two the same lead may be fetched again, which
its key makes harmless.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from relance.logs import get_logger
from relance.ticker import Ticker
from relance_ingest import metrics
from relance_ingest.acceptance import Acceptance, KeyUsedTwice
from relance_ingest.domain.retries import wait_before_next
from relance_ingest.partners import meta
from relance_ingest.partners.new_leads import new_lead
from relance_ingest.partners.partner import Ignored
from relance_ingest.retrieval.graph_api import GraphApi, NotFetched
from relance_ingest.retrieval.reference_store import Postponed, Reference, ReferenceStore
from relance_ingest.sources import Credentials, Sources
from relance_ingest.spam.evidence import NO_EVIDENCE
from relance_ingest.spam.screening import Screening

log = get_logger(__name__)

_AT_ONCE = 10
_LEASE = timedelta(minutes=1)
_POLL = timedelta(seconds=10)


class Retrieval:
    """A part that runs beside the HTTP server; nudged when a reference was kept, and polling in any case."""

    def __init__(
        self,
        store: ReferenceStore,
        graph_api: GraphApi,
        acceptance: Acceptance,
        screening: Screening,
        *,
        sources: Sources,
        credentials: Mapping[str, Credentials],
    ) -> None:
        self._store = store
        self._graph_api = graph_api
        self._acceptance = acceptance
        self._screening = screening
        self._sources = sources
        self._credentials = credentials
        self._ticker = Ticker("retrieval", self._turn)
        self.nudge = self._ticker.nudge
        self.request_stop = self._ticker.request_stop
        self.run = self._ticker.run

    async def _turn(self) -> timedelta:
        claimed = await self._store.claim(_AT_ONCE, _LEASE)
        if claimed:
            found = await asyncio.gather(*(self._retrieved(reference) for reference in claimed))
            done = [reference for reference, postponed in zip(claimed, found, strict=True) if postponed is None]
            await self._store.settle(done, [postponed for postponed in found if postponed])
        backlog = await self._store.backlog()
        metrics.REFERENCES.labels("waiting").set(backlog.waiting)
        metrics.REFERENCES.labels("given_up").set(backlog.given_up)
        return timedelta() if len(claimed) == _AT_ONCE else _POLL

    async def _retrieved(self, reference: Reference) -> Postponed | None:
        """None once the reference is done with."""
        try:
            outcome = await self._accepted(reference)
        except NotFetched as error:
            return self._postponed(reference, str(error))
        except Exception as error:
            # One lead that cannot be read must not keep the others: it stands there with its error.
            return self._postponed(reference, type(error).__name__)
        metrics.RETRIEVED.labels(reference.source, outcome).inc()
        return None

    async def _accepted(self, reference: Reference) -> str:
        source = self._sources.named(reference.source)
        if source is None or not (known := self._credentials.get(reference.source)):
            raise NotFetched("sources.yaml has no such partner any more")
        found = meta.lead(await self._graph_api.lead(reference.id, known.access_tokens))
        if isinstance(found, Ignored):
            return "ignored"
        try:
            lead = await self._screening.looked_at(source.spam, new_lead(source, found), NO_EVIDENCE)
            await self._acceptance.accept(lead)
        except KeyUsedTwice:
            return "repeated"  # fetched before, and renamed (its campaign, say) since
        return "accepted"

    def _postponed(self, reference: Reference, error: str) -> Postponed:
        wait = wait_before_next(reference.tries, reference.age)
        metrics.RETRIEVED.labels(reference.source, "failed" if wait else "given_up").inc()
        log.warning("lead not fetched", source=reference.source, tries=reference.tries, error=error)
        return Postponed(reference, wait, error)
