"""Simulated web forms: they post what people fill in, and note when, and what they were told."""

import asyncio
import time
from dataclasses import dataclass, field

import aiohttp

from relance_local.demo.people import People, Submission
from relance_local.demo.scenario import SOURCE_KEYS


@dataclass
class WebForms:
    """Posts submissions to ingest. `posted_at` is when each accepted lead was first posted (`time.monotonic`)."""

    ingest: str
    people: People
    posted_at: dict[str, float] = field(default_factory=dict)
    repeated: int = 0
    refused: list[str] = field(default_factory=list)

    async def send(self, *, seconds: float, per_second: float) -> None:
        """Send at an even pace, whatever the answers: people do not wait for each other."""
        started = time.monotonic()
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as people:
            for place in range(int(seconds * per_second)):
                await asyncio.sleep(max(0.0, started + place / per_second - time.monotonic()))
                people.create_task(self._submit(session, self.people.next()))

    async def _submit(self, session: aiohttp.ClientSession, submission: Submission) -> None:
        for _ in range(2 if submission.twice else 1):
            await self._post(session, submission)

    async def _post(self, session: aiohttp.ClientSession, submission: Submission) -> None:
        posted_at = time.monotonic()
        key = SOURCE_KEYS[submission.source]
        if submission.source == "website":
            form = {**submission.fields, "_key": key, "_idempotency_key": submission.idempotency_key}
            request = session.post(f"{self.ingest}/v1/forms/website", data=form, headers={"Accept": "application/json"})
        else:
            kind = "calls" if submission.source == "phone" else "leads"
            headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": submission.idempotency_key}
            request = session.post(f"{self.ingest}/v1/{kind}", json=submission.fields, headers=headers)
        async with request as answer:
            if answer.status != 202:  # noqa: PLR2004
                self.refused.append(f"{answer.status}: {await answer.text()}")
                return
            receipt = await answer.json()
        if receipt["repeated"]:
            self.repeated += 1
        else:
            self.posted_at[receipt["lead_id"]] = posted_at
