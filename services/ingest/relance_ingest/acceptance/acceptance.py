"""The one way in: takes what front doors made of a submission, and answers once it is committed."""

from collections.abc import Callable
from datetime import timedelta

from relance.clock import Clock
from relance.database import Database
from relance.ids import NewId
from relance_ingest import metrics
from relance_ingest.acceptance.group_commit import GroupCommit, Limits
from relance_ingest.acceptance.lead_store import LeadStore, Outcome
from relance_ingest.acceptance.new_lead import Accepted, NewLead
from relance_ingest.acceptance.submission import Submission, submission
from relance_ingest.domain.pseudonyms import Pseudonyms

_BATCH = 200
_AT_ONCE = 2
"""One batch is written while PostgreSQL waits for the disk with the other."""


class Acceptance:
    """Takes submissions into the database, those that come at once in shared transactions."""

    def __init__(
        self,
        database: Database,
        new_id: NewId,
        clock: Clock,
        on_committed: Callable[[], None],
        *,
        pseudonyms: Pseudonyms,
        waiting: int = 1000,
        patience: timedelta = timedelta(seconds=5),
        at_once: int = _AT_ONCE,
    ) -> None:
        """At most `waiting` submissions wait for their transaction, each no longer than `patience`."""
        store = LeadStore(database, new_id, clock, pseudonyms)
        limits = Limits(_BATCH, at_once, waiting, patience)
        self._additions: GroupCommit[Submission, bool] = GroupCommit("additions", store.add, limits)
        # Apart, because these wait for locks on leads that are there: new leads must not wait with them.
        self._repetitions: GroupCommit[Submission, Outcome] = GroupCommit("repetitions", store.repeat, limits)
        self._new_id = new_id
        self._clock = clock
        self._pseudonyms = pseudonyms
        self._on_committed = on_committed

    async def accept(self, lead: NewLead) -> Accepted:
        """Commit one submission.

        Raises:
            KeyUsedTwice: its idempotency key belongs to another submission.
            Overloaded: too much is waiting to be committed; nothing was stored.
            Exception: one that `relance.faults` knows: the database is away.
        """
        submitted = submission(lead, self._clock(), self._new_id, self._pseudonyms)
        with metrics.ACCEPT_SECONDS.time():
            if await self._additions.submit(submitted):
                outcome: Outcome = Accepted(submitted.id, repeated=False)
            else:
                outcome = await self._repetitions.submit(submitted)
        if isinstance(outcome, Exception):
            raise outcome
        counter = metrics.REVISED if outcome.revised else metrics.REPEATED if outcome.repeated else metrics.ACCEPTED
        counter.labels(lead.source, lead.channel).inc()
        if not outcome.repeated:
            for suspicion in lead.suspicions:
                metrics.QUARANTINED.labels(lead.source, suspicion).inc()
        if outcome.revised or not outcome.repeated:
            self._on_committed()
        return outcome

    async def drain(self) -> None:
        """Wait until everything that was submitted is committed."""
        await self._additions.drain()
        await self._repetitions.drain()
