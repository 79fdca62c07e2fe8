"""Fairness under fire: leave, declines and killed replicas while leads are routed, and the books of it afterwards."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import aiohttp
import asyncpg
from tests.bench.contenders import LINK_SECRET, Routers, routers
from tests.bench.routing_files import BenchRep, content, weights_present
from tests.bench.shares import Given, Shares, shares
from tests.bench.sink import DELIVERING, Sink, running_sink
from tests.bench.stage import Stage

from relance.ids import AssignmentId
from relance_local.conditions import wait_until
from relance_local.services import ROUTER
from relance_router.answers.links import AnswerLinks

REPS = 20
ALWAYS_AVAILABLE = 8
KILLS_AT = (0.2, 0.45, 0.7)
"""When replicas are killed, in parts of all leads."""
DECLINED = 0.015
"""The part of all leads that reps decline."""
_DECLINE_UNTIL = 0.98
"""In parts of all leads; after it, turns that were given back are taken again."""
_LEAVE_EVERY = 0.5
_LIMIT = timedelta(minutes=10)

# In the order in which they were decided: replicas take turns at the team's lock and make ids under it.
_ASSIGNMENTS = """
    SELECT a.rep, a.configuration, earlier.rep AS taken_from
    FROM router.assignments a
    LEFT JOIN router.assignments earlier ON earlier.lead_id = a.lead_id AND earlier.ordinal = a.ordinal - 1
    ORDER BY a.id
"""
# The lead's row is written with its first assignment, and not again: its transaction's commit is the decision's.
_OUT_OF_ORDER = """
    SELECT count(*) FROM (
        SELECT committed < lag(committed) OVER (ORDER BY id) AS earlier FROM (
            SELECT a.id, pg_xact_commit_timestamp(l.xmin) AS committed
            FROM router.assignments a JOIN router.leads l ON l.id = a.lead_id WHERE a.ordinal = 1
        )
    ) WHERE earlier
"""
_OWNED_TWICE = """
    SELECT count(*) FROM (
        SELECT FROM router.assignments WHERE ended_at IS NULL GROUP BY lead_id HAVING count(*) > 1
    )
"""
_TOLD_TWICE = """
    SELECT count(*) FROM (
        SELECT FROM router.notifications WHERE type = 'lead.assigned' GROUP BY assignment_id
        HAVING count(DISTINCT id) > 1
    )
"""
_KEPT = """
    SELECT count(*) FROM router.leads l
    WHERE EXISTS (SELECT FROM router.assignments a WHERE a.lead_id = l.id AND a.ended_at IS NULL)
        OR EXISTS (SELECT FROM router.unrouted u WHERE u.lead_id = l.id)
"""


@dataclass(frozen=True)
class Fairness:
    """What the books say. Declined leads count for who has them in the end."""

    leads: int
    seconds: float
    leaves: int
    """Configurations applied, each with other reps away."""
    declines: int
    kills: int
    worst_at_end: float
    worst_over_time: float
    out_of_order: int
    """Decisions committed before one with a lower id: must be 0, or `worst_over_time` says nothing."""
    owned_twice: int
    told_twice: int
    delivered: int
    """Assignments of which the rep was told by webhook before the end; `told_twice` looks at all that were written."""
    lost: int
    unrouted: int
    shares: Shares
    always: Sequence[str]

    @property
    def holds(self) -> bool:
        """Whether all that is promised held."""
        return self.worst_at_end <= 1 and not (self.owned_twice or self.told_twice or self.lost)


@dataclass
class _Fire:
    """What is done to the running routers."""

    stage: Stage
    database: str
    running: Routers
    sink: Sink
    rows: asyncpg.Pool
    chance: random.Random
    leads: int
    leaves: int = 0
    declines: int = 0
    kills: int = 0

    async def leave(self, reps: Sequence[BenchRep]) -> None:
        """Again and again, some of those who come and go do so."""
        now = list(reps)
        while True:
            for place in self.chance.sample(range(ALWAYS_AVAILABLE, REPS), self.chance.randint(1, 4)):
                now[place] = replace(now[place], available=not now[place].available)
            await self.running.apply(content(now, self.sink.url))
            self.leaves += 1
            await asyncio.sleep(self.chance.uniform(0, 2 * _LEAVE_EVERY))

    async def decline(self) -> None:
        """Keep up with the leads routed: of the newest assignments, some are declined by their reps."""
        links = AnswerLinks(public_url="", secret=LINK_SECRET, lifetime=timedelta(days=1))
        async with aiohttp.ClientSession() as session:
            while True:
                routed = await self.routed()
                if self.declines >= DECLINED * routed or routed > _DECLINE_UNTIL * self.leads:
                    await asyncio.sleep(0.05)
                    continue
                newest = await self.rows.fetch(
                    "SELECT id FROM router.assignments WHERE state = 'open' ORDER BY id DESC LIMIT 1000"
                )
                chosen = self.chance.sample(newest, min(8, len(newest)))
                self.declines += sum(
                    await asyncio.gather(*(self._decline(session, links, row["id"]) for row in chosen))
                )

    async def kill(self, replicas: Sequence[str]) -> None:
        """One replica after the other ends in the middle of its work, and is started again."""
        for part in KILLS_AT:
            await self.until_routed(part * self.leads)
            name = self.chance.choice(replicas)
            self.running.services.running[name].kill()
            self.kills += 1
            await self.running.services.start_replica(ROUTER, name)

    async def routed(self) -> int:
        """How many leads have been routed."""
        count: int = await self.rows.fetchval("SELECT count(*) FROM router.leads")
        return count

    async def until_routed(self, leads: float) -> None:
        """Wait for so many leads."""

        async def passed() -> bool:
            return await self.routed() >= leads

        await wait_until(passed, what=f"{leads:.0f} leads to be routed", limit=_LIMIT)

    async def _decline(self, session: aiohttp.ClientSession, links: AnswerLinks, assignment: AssignmentId) -> bool:
        replica = self.chance.choice(list(self.running.services.running))
        url = self.running.services.url(replica) + f"/v1/assignments/{assignment}/decline"
        headers = {"Authorization": f"Bearer {links.token(assignment)}"}
        with suppress(aiohttp.ClientError):  # it was killed
            async with session.post(url, headers=headers, json={"reason": "not mine"}) as answer:
                return answer.status == 200
        return False


async def fairness(stage: Stage, leads: int, offset: int, seed: int, tell: Callable[[int], None]) -> Fairness:
    """Route by two replicas under fire; `tell` is told how many are routed.

    `leads` is how many the topic's partitions have from `offset` on.
    """
    reps = [BenchRep(f"rep-{number:02d}", weight=number % 5 + 1) for number in range(REPS)]
    names = ["router-1", "router-2"]
    async with AsyncExitStack() as closing:
        database = await closing.enter_async_context(stage.fresh_database())
        rows = await closing.enter_async_context(
            asyncpg.create_pool(stage.server.url("postgres", database, "postgresql"), min_size=1, max_size=5)
        )
        sink = await closing.enter_async_context(running_sink(holding=False))
        async with routers(stage, database, reps, sink, DELIVERING, replicas=len(names), offset=offset) as running:
            fire = _Fire(stage, database, running, sink, rows, random.Random(seed), leads)  # noqa: S311 - repeatable
            began = time.monotonic()
            await _burn(fire, reps, names, tell)
            seconds = time.monotonic() - began
        return await _books(rows, fire, [rep.id for rep in reps], seconds)


async def _burn(fire: _Fire, reps: Sequence[BenchRep], names: Sequence[str], tell: Callable[[int], None]) -> None:
    async def watch() -> None:
        while True:
            tell(await fire.routed())
            await asyncio.sleep(0.5)

    async with asyncio.TaskGroup() as group:
        endless = [group.create_task(work) for work in (fire.leave(reps), fire.decline(), watch())]
        await asyncio.gather(fire.kill(names), fire.until_routed(fire.leads))
        for task in endless:
            task.cancel()


async def _books(rows: asyncpg.Pool, fire: _Fire, reps: Sequence[str], seconds: float) -> Fairness:
    configurations = await rows.fetch("SELECT version, content FROM router.configurations")
    present: Mapping[int, Mapping[str, int]] = {
        row["version"]: weights_present(row["content"]) for row in configurations
    }
    decisions = [
        Given(row["rep"], present[row["configuration"]], row["taken_from"]) for row in await rows.fetch(_ASSIGNMENTS)
    ]
    always = reps[:ALWAYS_AVAILABLE]
    added = shares(decisions, always)
    return Fairness(
        leads=fire.leads,
        seconds=seconds,
        leaves=fire.leaves,
        declines=await rows.fetchval("SELECT count(*) FROM router.assignments WHERE state = 'declined'"),
        kills=fire.kills,
        worst_at_end=float(added.worst(always)),
        worst_over_time=float(added.worst_over_time),
        out_of_order=await rows.fetchval(_OUT_OF_ORDER),
        owned_twice=await rows.fetchval(_OWNED_TWICE),
        told_twice=await rows.fetchval(_TOLD_TWICE) + sum(len(ids) > 1 for ids in fire.sink.ids.values()),
        delivered=len(fire.sink.ids),
        lost=fire.leads - await rows.fetchval(_KEPT),
        unrouted=await rows.fetchval("SELECT count(*) FROM router.unrouted"),
        shares=added,
        always=always,
    )
