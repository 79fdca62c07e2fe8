"""Promises of the ticker."""

import asyncio
from datetime import timedelta

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


async def test_a_nudge_cuts_one_sleep_short_and_a_stop_is_remembered() -> None:
    """A nudge that comes before the sleep counts too; the sleep after it is a whole one."""
    wake = Wake()
    wake.nudge()
    assert await wake.sleep(timedelta(minutes=1))
    assert not await wake.sleep(timedelta(milliseconds=1))
    wake.request_stop()
    assert await wake.sleep(timedelta(minutes=1))
    assert wake.stopping
