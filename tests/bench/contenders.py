"""Who is measured: our router and the naive consumer, each as one or more processes over a database of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from tests.bench import naive_consumer
from tests.bench.leads import TOPIC, rewind
from tests.bench.routing_files import TEAM, BenchRep, content
from tests.bench.sink import Sink
from tests.bench.stage import PREFIX, Stage

from relance_local.child_process import ChildProcess
from relance_local.conditions import wait_until
from relance_local.services import ROUTER, Configuration, Parts, Services
from relance_local.stack import ROOT

LINK_SECRET = "a link secret of the benchmark, long enough"
OPERATOR_TOKEN = "an operator token of the benchmark, long enough"
_GROUP = PREFIX + ROUTER
_NAIVE_GROUP = PREFIX + "naive"


class Contender(Protocol):
    """Processes that route."""

    @property
    def processes(self) -> Sequence[ChildProcess]:
        """Those that run now."""

    async def all_work(self) -> bool:
        """Whether each of them has committed a lead."""


@dataclass(frozen=True)
class Routers:
    """Replicas of our router."""

    services: Services

    @property
    def processes(self) -> Sequence[ChildProcess]:
        """The replicas."""
        return list(self.services.running.values())

    async def all_work(self) -> bool:
        """Whether each replica has committed a batch, by its own metrics."""
        async with aiohttp.ClientSession() as session:
            return all([await self._taken(session, name) for name in self.services.running])

    async def apply(self, text: str) -> None:
        """Have the routers run `text`, by whichever replica lives."""
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            await wait_until(lambda: self._applied(session, text), what="the configuration to run")

    async def _applied(self, session: aiohttp.ClientSession, text: str) -> bool:
        for replica in self.services.running:
            url = self.services.url(replica) + "/v1/configurations"
            try:
                async with session.get(url + "/running") as answer:
                    running = (await answer.json())["version"]
                body = {"content": text, "expected_version": running, "applied_by": "the benchmark"}
                async with session.post(url, json=body) as answer:
                    if answer.status in {HTTPStatus.OK, HTTPStatus.CREATED}:
                        return True
            except aiohttp.ClientError:
                continue  # killed just now: ask the next
        return False

    async def _taken(self, session: aiohttp.ClientSession, replica: str) -> bool:
        async with session.get(self.services.url(replica) + "/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
        return any(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == "relance_consumer_messages_total" and sample.labels["topic"] == TOPIC
        )


@dataclass(frozen=True)
class NaiveConsumers:
    """Replicas of the naive consumer."""

    processes: Sequence[ChildProcess]

    async def all_work(self) -> bool:
        """Whether each has said so."""
        for process in self.processes:
            process.must_run()
        return all(naive_consumer.WORKING in process.log.read_text() for process in self.processes)


@asynccontextmanager
async def routers(
    stage: Stage,
    database: str,
    reps: Sequence[BenchRep],
    sink: Sink,
    settings: Mapping[str, str],
    *,
    replicas: int,
    offset: int = 0,
    launcher: Sequence[str] = (),
) -> AsyncIterator[Routers]:
    """Our router, reading each partition from `offset`; stopped when the block ends."""
    await rewind(stage, _GROUP, offset=offset)
    folder = stage.folder / database
    folder.mkdir()
    routing_file = folder / "routing.yaml"
    routing_file.write_text(content(list(reps), sink.url))
    configuration = Configuration(
        routing_file,
        folder / "unused",
        link_secret=LINK_SECRET,
        operator_token=OPERATOR_TOKEN,
        environment={"SHUTDOWN_DEADLINE": "PT2S", **settings},
        launcher=launcher,
    )
    services = Services(Parts(folder, stage.server, stage.broker, database, PREFIX), configuration)
    try:
        await asyncio.gather(*(services.start_replica(ROUTER, f"router-{number + 1}") for number in range(replicas)))
        yield Routers(services)
    finally:
        await asyncio.gather(*(process.stop() for process in services.running.values()))


@asynccontextmanager
async def naive_consumers(
    stage: Stage, database: str, reps: Sequence[BenchRep], *, replicas: int
) -> AsyncIterator[NaiveConsumers]:
    """The naive consumer, reading the leads from the start; stopped when the block ends."""
    await rewind(stage, _NAIVE_GROUP)
    connection = await stage.server.connect(database)
    try:
        await connection.execute(naive_consumer.TABLES)
        await connection.executemany(
            "INSERT INTO naive.reps (id, team) VALUES ($1, $2)", [(rep.id, TEAM) for rep in reps]
        )
        await connection.execute("ANALYZE naive.reps")
    finally:
        await connection.close()
    address = stage.server.url("postgres", database, "postgresql")
    arguments = [sys.executable, "-m", naive_consumer.__name__, address, stage.broker.bootstrap_servers, TOPIC]
    processes = [
        ChildProcess(
            "the naive consumer",
            [*arguments, _NAIVE_GROUP],
            log=stage.folder / f"naive-{database}-{number}.log",
            folder=ROOT,
        )
        for number in range(replicas)
    ]
    try:
        yield NaiveConsumers(processes)
    finally:
        await asyncio.gather(*(process.stop() for process in processes))
