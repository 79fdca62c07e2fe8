"""Simulated reps and managers behind real HTTP webhooks: they check signatures, drop repeats and answer (or not)."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from relance_local.conditions import free_port
from relance_local.demo.scenario import REPS, WINDOW_SECONDS, Habit

SecretOf = Callable[[str], str]
"""The signing secret of an endpoint (`rep:anna`, `manager:dach`)."""

_DECLINES = 0.06
_USES_THE_PAGE = 0.3


@dataclass
class Reps:
    """Everybody who gets webhooks."""

    secret_of: SecretOf
    seed: int
    port: int = field(default_factory=free_port)
    first_notified_at: dict[str, float] = field(default_factory=dict)
    """Lead to when a rep first heard of it (`time.monotonic`)."""
    notifications_of: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """(assignment, type) to the webhook ids received for it: one each, or somebody was told twice."""
    repeats: int = 0
    forged: int = 0
    by_type: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    too_late: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a simulation
        self._seen: set[str] = set()
        self._habits = {rep.id: rep.habit for rep in REPS}
        self._answering: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where they listen."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/reps/{name}", self._of("rep"))
        app.router.add_post("/managers/{name}", self._of("manager"))
        self._runner = web.AppRunner(app, access_log=None)
        self._session = aiohttp.ClientSession()
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def fall_silent(self) -> None:
        """Answer no more; go on listening."""
        answering = list(self._answering)
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)

    async def stop(self) -> None:
        """Stop listening."""
        await self.fall_silent()
        if self._runner and self._session:
            await self._session.close()
            await self._runner.cleanup()

    def _of(self, kind: str) -> Callable[[web.Request], Any]:
        async def receive(request: web.Request) -> web.Response:
            return await self._receive(request, f"{kind}:{request.match_info['name']}")

        return receive

    async def _receive(self, request: web.Request, endpoint: str) -> web.Response:
        received_at = time.monotonic()
        body = await request.read()
        try:
            Webhook(self.secret_of(endpoint)).verify(body, dict(request.headers), json_parse=False)
        except WebhookVerificationError:
            self.forged += 1
            return web.Response(status=401)
        webhook_id = request.headers["webhook-id"]
        if webhook_id in self._seen:
            self.repeats += 1
            return web.Response(status=204)
        self._seen.add(webhook_id)
        message = json.loads(body)
        data = message["data"]
        self.by_type[message["type"]] += 1
        # A reminder and an escalation may come once each per step; an assignment, and each touch, is told of once.
        about = data.get("step") or data.get("touch", {}).get("lead_id", "")
        told_of = (data["assignment_id"], f"{message['type']} {about}")
        self.notifications_of.setdefault(told_of, set()).add(webhook_id)
        if message["type"] == "lead.assigned":
            self.first_notified_at.setdefault(data["lead"]["lead_id"], received_at)
            self._think_about(data)
        return web.Response(status=204)

    def _think_about(self, data: dict[str, Any]) -> None:
        habit = self._habits[data["rep"]]
        if habit is Habit.ABSENT:
            return
        shares = (0.05, 0.45) if habit is Habit.DILIGENT else (0.4, 1.4)
        delay = WINDOW_SECONDS * self._random.uniform(*shares)
        decline = habit is Habit.DILIGENT and self._random.random() < _DECLINES
        task = asyncio.create_task(self._answer(data["answer"], delay, decline=decline))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, ways: dict[str, str], delay: float, *, decline: bool) -> None:
        await asyncio.sleep(delay)
        if decline:
            await self._say(ways, "decline")
            return
        if await self._say(ways, "acknowledge"):
            await asyncio.sleep(WINDOW_SECONDS * self._random.uniform(0.1, 0.5))
            await self._say(ways, "contacted")

    async def _say(self, ways: dict[str, str], answer: str) -> bool:
        if self._session is None:
            raise RuntimeError("the reps have not been started")
        if self._random.random() < _USES_THE_PAGE:
            reason = {"reason": "no_time"} if answer == "decline" else {}
            request = self._session.post(ways["page"], data={"answer": answer, **reason}, allow_redirects=False)
        else:
            request = self._session.post(ways[answer], headers={"Authorization": f"Bearer {ways['token']}"})
        async with request as response:
            if response.status in {409, 410}:
                self.too_late += 1
                return False
            response.raise_for_status()
        self.answers[answer] += 1
        return True
