"""Group commit: work that comes in while a transaction is under way shares the next one.

Without a timer: whoever comes alone is committed at once, and batches grow only as far as the database is slow.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from relance import faults
from relance_ingest import metrics

Item = TypeVar("Item")
Answer = TypeVar("Answer")

Commit = Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]
"""Commits items in one transaction, or raises and has committed none; one answer for each, in order."""


class Overloaded(faults.TryLater):
    """More is waiting to be committed than can be soon. Nothing was stored."""


@dataclass(frozen=True)
class Limits:
    """`batch`: items in one transaction; `at_once`: transactions; `waiting`: items that wait, each `patience` long."""

    batch: int
    at_once: int
    waiting: int
    patience: timedelta


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Item, Answer]):
    item: Item
    answer: "asyncio.Future[Answer]"
    since: float


class GroupCommit(Generic[Item, Answer]):
    """Commits items from many tasks in few transactions."""

    def __init__(self, name: str, commit: Commit[Item, Answer], limits: Limits) -> None:
        """`name` is the metrics' label."""
        self._commit = commit
        self._limits = limits
        self._queue: deque[_Waiting[Item, Answer]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._depth = metrics.QUEUE_DEPTH.labels(name)
        self._sizes = metrics.BATCH_SIZE.labels(name)
        self._waits = metrics.QUEUE_SECONDS.labels(name)

    async def submit(self, item: Item) -> Answer:
        """Commit one item; returns once it is committed. Who gives up waiting harms nobody else.

        Raises:
            Overloaded: too much is waiting, or has been for too long.
            Exception: what `commit` raised for this item alone, or for all because the database is away.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if len(self._queue) >= self._limits.waiting or (self._queue and self._is_late(self._queue[0], now)):
            raise Overloaded
        waiting: _Waiting[Item, Answer] = _Waiting(item, loop.create_future(), now)
        self._queue.append(waiting)
        self._depth.set(len(self._queue))
        if len(self._workers) < self._limits.at_once:
            # It takes from the queue when it first runs, so that what arrives in this turn of the loop goes with it.
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await waiting.answer

    async def drain(self) -> None:
        """Wait until nothing is under way; nothing may be submitted any more."""
        while self._workers:
            await asyncio.wait(self._workers)

    async def _work(self) -> None:
        while batch := self._take():
            self._sizes.observe(len(batch))
            await self._settle(batch)

    def _take(self) -> list[_Waiting[Item, Answer]]:
        batch: list[_Waiting[Item, Answer]] = []
        now = asyncio.get_running_loop().time()
        while self._queue and len(batch) < self._limits.batch:
            waiting = self._queue.popleft()
            if waiting.answer.done():
                continue  # whoever asked has gone, and nobody was told anything
            if self._is_late(waiting, now):
                waiting.answer.set_exception(Overloaded())
                continue
            batch.append(waiting)
            self._waits.observe(now - waiting.since)
        self._depth.set(len(self._queue))
        return batch

    def _is_late(self, waiting: _Waiting[Item, Answer], now: float) -> bool:
        return now - waiting.since > self._limits.patience.total_seconds()

    async def _settle(self, batch: Sequence[_Waiting[Item, Answer]]) -> None:
        try:
            answers = await self._commit([waiting.item for waiting in batch])
        except Exception as error:
            if len(batch) > 1 and not faults.concerns_all(error):
                # One of them is to blame: whoever is not goes through in another half.
                middle = len(batch) // 2
                await self._settle(batch[:middle])
                await self._settle(batch[middle:])
                return
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)
