"""The whole system as a test sees it: what it posts, what reps' webhooks receive, and what the reporting views say."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import yaml
from aiohttp import web
from pydantic_core import MultiHostUrl
from standardwebhooks import Webhook
from tests.http_servers import answering

from relance.kafka.topics import create_topics
from relance.settings import ServiceSettings
from relance_local.broker import Broker
from relance_local.conditions import free_port, wait_until
from relance_local.database_server import DatabaseServer
from relance_local.services import NAMES, ROUTER, Configuration, Parts, Services
from relance_router.deliveries.endpoints import signing_secret

WEBHOOK_SECRET = "a master secret of tests, long enough"
LINK_SECRET = "a link secret of tests, long enough too"
OPERATOR_TOKEN = "a token of operators in tests, as long as the others"
REPORTS_TOKEN = "a token of reports in tests, which is long enough"
KEYS = {"website": "key-of-website", "ads": "key-of-ads", "phone": "key-of-phone"}
THANKS = "https://www.example.com/thanks"

STANDARD_STEPS = [
    {"name": "remind", "action": "remind_rep", "at": "50%"},
    {"name": "at-risk", "action": "at_risk", "at": "80%"},
    {"name": "breach", "action": "breach", "at": "100%"},
    {"name": "manager", "action": "notify_manager", "at": "100%"},
    {"name": "reassign", "action": "reassign", "at": "150%"},
]
LATE_STEPS = [*STANDARD_STEPS[:-1], {"name": "reassign", "action": "reassign", "at": "100%", "after": "1h"}]
"""A lead stays with its rep until the test lets time pass."""


@dataclass(frozen=True)
class Received:
    """One webhook that arrived, its signature checked."""

    endpoint: str
    id: str
    type: str
    data: dict[str, Any]
    headers: Mapping[str, str]


@dataclass
class Endpoints:
    """Reps' and managers' webhooks. `answers_with` sets an endpoint's status; 200 otherwise."""

    port: int = field(default_factory=free_port)
    received: list[Received] = field(default_factory=list)
    answers_with: dict[str, int] = field(default_factory=dict)
    echoes: bool = False
    """Whether they answer with what they were sent."""
    hold: asyncio.Event | None = None
    """When given, webhooks are answered only once it is set."""

    def url(self, endpoint: str) -> str:
        """The address of `rep:anna` or `manager:team`."""
        return f"http://127.0.0.1:{self.port}/{endpoint}"

    async def listen(self, request: web.Request) -> web.Response:
        """Take one webhook."""
        endpoint = request.match_info["endpoint"]
        body = await request.read()
        message = Webhook(signing_secret(WEBHOOK_SECRET, endpoint)).verify(body, dict(request.headers))
        self.received.append(
            Received(endpoint, request.headers["webhook-id"], message["type"], message["data"], dict(request.headers))
        )
        if self.hold:
            await self.hold.wait()
        return web.Response(status=self.answers_with.get(endpoint, 200), body=body if self.echoes else None)

    def of_type(self, type_: str) -> list[Received]:
        """What arrived of one type."""
        return [each for each in self.received if each.type == type_]

    def assignments_of(self, lead_id: str) -> list[Received]:
        """Who was told that they have this lead, in order."""
        return [each for each in self.of_type("lead.assigned") if each.data["lead"]["lead_id"] == lead_id]


def routing(
    endpoints: Endpoints,
    teams: Mapping[str, Sequence[str]],
    *,
    window: str = "60s",
    rules: Sequence[Mapping[str, Any]] | None = None,
    fallback: str | None = None,
    steps: Sequence[Mapping[str, Any]] = STANDARD_STEPS,
    reps: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """A routing.yaml: teams of reps, by default with one rule `<team>` for each lead whose `fields.team` says so."""
    promise = {"respond_within": window, "escalation": "standard"}
    everybody = sorted({rep for members in teams.values() for rep in members})
    document = {
        "reps": [{"id": rep, "webhook": endpoints.url(f"rep:{rep}"), **(reps or {}).get(rep, {})} for rep in everybody],
        "teams": [
            {"id": team, "manager": endpoints.url(f"manager:{team}"), "members": [{"rep": rep} for rep in members]}
            for team, members in teams.items()
        ],
        "escalation_policies": [{"id": "standard", "steps": list(steps)}],
        "rules": [{"id": team, "when": {"fields.team": team}, "team": team, **promise} for team in teams]
        if rules is None
        else [{**promise, **rule} for rule in rules],
        "fallback": {"team": fallback or next(iter(teams)), **promise},
    }
    return yaml.safe_dump(document, sort_keys=False)


_LET_PASS = """
    UPDATE sla.clocks SET started_at = started_at - $1::interval, deadline = deadline - $1::interval,
        risk_at = risk_at - $1::interval, next_due_at = next_due_at - $1::interval,
        steps = (
            SELECT coalesce(
                jsonb_agg(step || jsonb_build_object('due_at', (step->>'due_at')::timestamptz - $1) ORDER BY place),
                '[]'
            )
            FROM jsonb_array_elements(steps) WITH ORDINALITY AS t (step, place)
        )
    WHERE stopped_at IS NULL AND deadline IS NOT NULL
"""


@dataclass
class System:
    """Everything a test needs of the running system."""

    services: Services
    server: DatabaseServer
    broker: Broker
    database: str
    topic_prefix: str
    endpoints: Endpoints
    http: aiohttp.ClientSession
    routing_file: Path

    def url(self, service: str, path: str) -> str:
        """An address of a service."""
        return self.services.url(service) + path

    async def post_lead(self, *, source: str = "website", **lead: Any) -> str:
        """Post a lead that must be accepted; returns its id."""
        body = {"email": f"{uuid.uuid4().hex}@example.com", **lead}
        headers = {"Authorization": f"Bearer {KEYS[source]}"}
        async with self.http.post(self.url("ingest", "/v1/leads"), json=body, headers=headers) as answer:
            assert answer.status == 202, await answer.text()
            lead_id: str = (await answer.json())["lead_id"]
            return lead_id

    async def post_leads(self, team: str, count: int) -> list[str]:
        """Post leads for a team; returns their ids."""
        return [await self.post_lead(fields={"team": team}) for _ in range(count)]

    async def told(self, lead_id: str, *, times: int = 1) -> Received:
        """Wait until a rep was told of the lead for the `times`-th time; returns that webhook."""
        await self.until(
            lambda: len(self.endpoints.assignments_of(lead_id)) >= times, f"lead {lead_id} to be told of {times} times"
        )
        return self.endpoints.assignments_of(lead_id)[times - 1]

    async def answer(self, received: Received, answer: str, reason: str | None = None) -> tuple[int, dict[str, Any]]:
        """Answer by the API, as the webhook says; returns status and body."""
        ways = received.data["answer"]
        headers = {"Authorization": f"Bearer {ways['token']}"}
        body = {"reason": reason} if reason else None
        async with self.http.post(ways[answer], headers=headers, json=body) as response:
            return response.status, await response.json()

    async def rows(self, query: str, *values: Any, role: str = "reporting") -> list[dict[str, Any]]:
        """Rows of a query, by default as Grafana's role."""
        connection: asyncpg.Connection = await self.server.connect(self.database, role)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def wait_for_rows(
        self, query: str, *values: Any, count: int = 1, role: str = "reporting", seconds: float = 30
    ) -> list[dict[str, Any]]:
        """Wait until a query gives at least `count` rows."""
        found: list[dict[str, Any]] = []

        async def enough() -> bool:
            found[:] = await self.rows(query, *values, role=role)
            return len(found) >= count

        await wait_until(enough, what=f"{count} rows of {query} {values}", limit=timedelta(seconds=seconds))
        return found

    async def until(self, condition: Callable[[], bool | Awaitable[bool]], what: str, *, seconds: float = 30) -> None:
        """Wait for a condition."""
        await wait_until(condition, what=what, limit=timedelta(seconds=seconds))

    async def metrics(self, service: str) -> str:
        """What Prometheus would scrape."""
        async with self.http.get(self.url(service, "/metrics")) as answer:
            return await answer.text()

    async def operate(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, service: str = ROUTER
    ) -> tuple[int, Any]:
        """Ask the operators' API of a service; returns status and body."""
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        async with self.http.request(method, self.url(service, path), json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def apply_routing(self, text: str) -> int:
        """Apply a routing.yaml that must be accepted; returns its version."""
        _, running = await self.operate("GET", "/v1/configurations/running")
        body = {"content": text, "expected_version": running["version"], "applied_by": "a test"}
        status, applied = await self.operate("POST", "/v1/configurations", body)
        assert status == 201, applied
        version: int = applied["version"]
        return version

    async def delete_leads(self) -> None:
        """For the next test, where several share an ingest of their own."""
        connection = await self.server.connect(self.database, "ingest")
        try:
            await connection.execute("DELETE FROM ingest.leads")
        finally:
            await connection.close()

    async def let_pass(self, time: timedelta) -> None:
        """Let that time pass for every clock that runs and is not held: all that the SLA monitor has of it moves back.

        A test that waits for windows of a few seconds depends on doing all else within them.
        """
        connection = await self.server.connect(self.database, "sla")
        try:
            async with connection.transaction():
                # One after the other with whoever has some of these clocks in hand.
                await connection.execute("LOCK TABLE sla.clocks IN EXCLUSIVE MODE")
                moved = await connection.execute(_LET_PASS, time)
            assert moved != "UPDATE 0", "no clock runs yet: wait for it first"
        finally:
            await connection.close()

    def logs(self) -> list[dict[str, Any]]:
        """Every line that the services have logged."""
        lines = [line for name in self.services.running for line in self.services.log(name).read_text().splitlines()]
        return [json.loads(line) for line in lines if line.startswith("{")]


@asynccontextmanager
async def running_system(
    real_parts: tuple[DatabaseServer, Broker],
    database: str,
    folder: Path,
    *,
    teams: Mapping[str, Sequence[str]] | None = None,
    window: str = "60s",
    services: Sequence[str] = NAMES,
    environment: Mapping[str, str] | None = None,
    sources: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[System]:
    """Start the services on these parts, with the topics' prefix and the database of one test.

    `sources` says more of a source in sources.yaml, by its id, or adds one.
    """
    server, broker = real_parts
    endpoints = Endpoints()
    async with AsyncExitStack() as closing:
        await closing.enter_async_context(answering(endpoints.port, web.post("/{endpoint}", endpoints.listen)))
        http = await closing.enter_async_context(aiohttp.ClientSession())

        prefix = f"{database}."
        routing_file = folder / "routing.yaml"
        routing_file.write_text(routing(endpoints, teams or {"sales": ["anna", "ben"]}, window=window))
        sources_file = folder / "sources.yaml"
        sources_file.write_text(_sources(sources or {}))
        configuration = Configuration(
            routing_file,
            sources_file,
            webhook_secret=WEBHOOK_SECRET,
            link_secret=LINK_SECRET,
            operator_token=OPERATOR_TOKEN,
            environment={
                "WEBHOOK_ALLOWED_HOSTS": '["127.0.0.1"]',
                "FIGURES_EVERY": "PT0.2S",
                "REPORTS_TOKEN": REPORTS_TOKEN,
                **(environment or {}),
            },
        )
        running = Services(Parts(folder, server, broker, database, prefix), configuration)
        closing.callback(_kill, running)
        await _create_topics(server, broker, database, prefix)
        await running.start(services)
        yield System(running, server, broker, database, prefix, endpoints, http, routing_file)


def _kill(services: Services) -> None:
    """End them at once: nobody needs what they would do at their end, and what they promise of it has its own tests."""
    for process in services.running.values():
        process.kill()


async def _create_topics(server: DatabaseServer, broker: Broker, database: str, prefix: str) -> None:
    settings = ServiceSettings(
        database_url=MultiHostUrl(server.url("router", database)),
        kafka_bootstrap_servers=broker.bootstrap_servers,
        topic_prefix=prefix,
        topic_partitions=4,
    )
    await create_topics(settings, NAMES)


def _sources(further: Mapping[str, Mapping[str, Any]]) -> str:
    sources: dict[str, dict[str, Any]] = {
        source: {"key_sha256": hashlib.sha256(key.encode()).hexdigest(), "default_country": "DE"}
        for source, key in KEYS.items()
    }
    sources["website"]["thanks_url"] = THANKS
    for source, more in further.items():
        sources.setdefault(source, {}).update(more)
    return yaml.safe_dump({"sources": [{"id": source, **said} for source, said in sources.items()]})
