"""Promises of the ticker."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

from prometheus_client import REGISTRY

from relance.ticker import Ticker, Wake


async def test_a_ticker_that_drains_lets_the_work_in_hand_go_on() -> None:
    """After the stop is requested it waits between turns: spinning would starve the very work it waits for."""
    turns = 0
    in_hand = True

    async def turn() -> timedelta:
        nonlocal turns
        turns += 1
        if turns > 100:
            raise RuntimeError("the ticker spins")
        return timedelta(minutes=1)

    ticker = Ticker("tested", turn, drained=lambda: not in_hand)
    running = asyncio.create_task(ticker.run())
    ticker.request_stop()
    await asyncio.sleep(0.01)
    assert not running.done()
    in_hand = False
    ticker.nudge()
    await asyncio.wait_for(running, 5)
    assert turns <= 3


async def test_work_that_does_not_get_done_is_due_since_it_failed_first() -> None:
    """Whenever it was to be done next before; and when it is done again, nobody waits for it."""
    outcomes: Iterator[timedelta | OSError] = iter(
        [timedelta(hours=1), ConnectionError("away"), ConnectionError("away")]
    )
    due: list[float] = []

    def note() -> None:
        due.append(REGISTRY.get_sample_value("relance_work_due_timestamp_seconds", {"work": "tested"}) or 0)

    async def turn() -> timedelta:
        note()
        outcome = next(outcomes, None)
        if outcome is None:
            ticker.request_stop()
            return timedelta(hours=2)
        ticker.nudge()
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    began = time.time()
    ticker = Ticker("tested", turn)
    await asyncio.wait_for(ticker.run(), 10)
    note()
    assert [round((moment - began) / 3600) for moment in due] == [0, 1, 0, 0, 2]
    assert due[2] == due[3]


async def test_a_nudge_cuts_one_sleep_short_and_a_stop_is_remembered() -> None:
    """A nudge that comes before the sleep counts too; the sleep after it is a whole one."""
    wake = Wake()
    wake.nudge()
    assert await wake.sleep(timedelta(minutes=1))
    assert not await wake.sleep(timedelta(milliseconds=1))
    wake.request_stop()
    assert await wake.sleep(timedelta(minutes=1))
    assert wake.stopping
