"""Promises of sharing transactions, with a database that the test holds in its hand."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import faults
from relance_ingest.acceptance.group_commit import GroupCommit, Limits, Overloaded

LIMITS = Limits(batch=4, at_once=1, waiting=10, patience=timedelta(hours=1))


class Poison(ValueError):
    """An item that cannot be stored."""


class Database:
    """Commits whole batches, or none of a batch; `open` lets commits through."""

    def __init__(self, poison: Sequence[int] = ()) -> None:
        self.poison = set(poison)
        self.committed: list[list[int]] = []
        self.begun: list[list[int]] = []
        self.open = asyncio.Event()
        self.away = False

    async def commit(self, items: Sequence[int]) -> list[str]:
        self.begun.append(list(items))
        await self.open.wait()
        if self.away:
            raise ConnectionError("away")
        if self.poison & set(items):
            raise Poison
        self.committed.append(list(items))
        return [f"kept {item}" for item in items]


async def turns(count: int = 5) -> None:
    """Let whatever can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_comes_alone_is_committed_at_once_and_what_comes_meanwhile_together() -> None:
    """No timer: a batch is what came while the one before was under way."""
    database = Database()
    group = GroupCommit("test", database.commit, LIMITS)
    first = asyncio.create_task(group.submit(0))
    await turns()
    others = [asyncio.create_task(group.submit(item)) for item in range(1, 7)]
    await turns()
    assert database.begun == [[0]]
    database.open.set()
    assert await asyncio.gather(first, *others) == [f"kept {item}" for item in range(7)]
    assert database.committed == [[0], [1, 2, 3, 4], [5, 6]]


async def test_what_comes_in_one_turn_of_the_loop_goes_together() -> None:
    """Requests that are read together are not split into one and the rest."""
    database = Database()
    database.open.set()
    group = GroupCommit("test", database.commit, LIMITS)
    await asyncio.gather(*(group.submit(item) for item in range(3)))
    assert database.committed == [[0, 1, 2]]


@given(count=st.integers(1, 30), poison=st.sets(st.integers(0, 29)))
def test_an_item_that_cannot_be_stored_harms_no_other(count: int, poison: set[int]) -> None:
    """Whatever it shared its transaction with: each is committed once, or told its own error."""

    async def run() -> None:
        database = Database(sorted(poison))
        database.open.set()
        group = GroupCommit("test", database.commit, Limits(8, 2, 100, timedelta(hours=1)))
        answers = await asyncio.gather(*(group.submit(item) for item in range(count)), return_exceptions=True)
        for item, answer in enumerate(answers):
            assert isinstance(answer, Poison) if item in poison else answer == f"kept {item}"
        kept = [item for batch in database.committed for item in batch]
        assert sorted(kept) == [item for item in range(count) if item not in poison]

    asyncio.run(run())


async def test_a_database_that_is_away_is_asked_once_for_a_whole_batch() -> None:
    """And everybody in it is told to try again; the next batch asks anew."""
    database = Database()
    database.away = True
    database.open.set()
    group = GroupCommit("test", database.commit, LIMITS)
    answers = await asyncio.gather(*(group.submit(item) for item in range(3)), return_exceptions=True)
    assert all(isinstance(answer, ConnectionError) for answer in answers)
    assert database.begun == [[0, 1, 2]]
    database.away = False
    assert await group.submit(3) == "kept 3"


async def test_more_than_may_wait_is_turned_away_and_the_rest_is_kept() -> None:
    """Before memory grows; whoever was let in is answered."""
    database = Database()
    group = GroupCommit("test", database.commit, LIMITS)
    first = asyncio.create_task(group.submit(0))
    await turns()
    waiting = [asyncio.create_task(group.submit(item)) for item in range(1, 11)]
    await turns()
    with pytest.raises(Overloaded) as refused:
        await group.submit(11)
    assert faults.is_transient(refused.value)
    database.open.set()
    assert len(await asyncio.gather(first, *waiting)) == 11


async def test_who_has_waited_too_long_is_told_so_and_not_stored() -> None:
    """And while the oldest waits too long, nobody is let in behind it."""
    database, now = Database(), [0.0]
    limits = Limits(4, 1, 10, patience=timedelta(seconds=5))
    group = GroupCommit("test", database.commit, limits, seconds=lambda: now[0])
    first = asyncio.create_task(group.submit(0))
    await turns()
    late = asyncio.create_task(group.submit(1))
    await turns()
    now[0] = 6
    with pytest.raises(Overloaded):
        await group.submit(2)
    database.open.set()
    assert await first == "kept 0"
    with pytest.raises(Overloaded):
        await late
    assert await group.submit(3) == "kept 3"
    assert database.committed == [[0], [3]]


async def test_what_is_submitted_when_a_worker_has_just_ended_is_committed_too() -> None:
    """Whatever else runs in that turn of the loop."""
    database = Database()
    database.open.set()
    group = GroupCommit("test", database.commit, LIMITS)

    async def again(item: int) -> str:
        await group.submit(item)
        return await group.submit(item)

    async with asyncio.timeout(10):
        assert await asyncio.gather(*(again(item) for item in range(10))) == [f"kept {item}" for item in range(10)]


async def test_who_gives_up_waiting_harms_nobody_else() -> None:
    """In the queue it is left out; in the middle of a transaction it is committed all the same."""
    database = Database()
    group = GroupCommit("test", database.commit, LIMITS)
    tasks = [asyncio.create_task(group.submit(item)) for item in range(4)]
    await turns()
    queued = [asyncio.create_task(group.submit(item)) for item in range(4, 7)]
    await turns()
    for given_up in (tasks[1], queued[0]):
        given_up.cancel()
    await turns()
    database.open.set()
    answers = await asyncio.gather(*tasks, *queued, return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, str)] == [f"kept {item}" for item in (0, 2, 3, 5, 6)]
    assert database.committed == [[0, 1, 2, 3], [5, 6]]


async def test_draining_waits_for_everything_that_was_submitted() -> None:
    """Shutdown does not close the database under a transaction."""
    database = Database()
    group = GroupCommit("test", database.commit, LIMITS)
    tasks = [asyncio.create_task(group.submit(item)) for item in range(9)]
    await turns()
    draining = asyncio.create_task(group.drain())
    await turns()
    assert not draining.done()
    database.open.set()
    await draining
    assert sum(map(len, database.committed)) == 9
    await asyncio.gather(*tasks)
