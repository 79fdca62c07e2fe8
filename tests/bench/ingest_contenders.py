"""Who is measured: ingest's own process, the same that stores nothing, a naive endpoint, and pgbench."""

import asyncio
import hashlib
import json
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta

from tests.bench import ingest_client, ingest_without_storing, naive_ingest
from tests.bench.ingest_client import Found, Load
from tests.bench.stage import PREFIX, Stage

from relance_local.child_process import ChildProcess
from relance_local.conditions import free_port, wait_until
from relance_local.database_server import binaries
from relance_local.services import INGEST, Configuration, Parts, Services
from relance_local.stack import ROOT

PATH, KEY = "/v1/leads", "key-of-the-benchmark"
CONNECTIONS = 64
PGBENCH_CLIENTS = 16
_PUBLISHED_LIMIT = timedelta(minutes=2)
_SOURCES = f"sources: [{{id: website, key_sha256: {hashlib.sha256(KEY.encode()).hexdigest()}, default_country: DE}}]"


@dataclass(frozen=True)
class Endpoint:
    """A process that takes leads."""

    process: ChildProcess
    port: int
    stage: Stage
    database: str

    async def under(
        self,
        *,
        connections: int,
        seconds: float | None,
        warm_up: float = 0.0,
        rate: float | None = None,
        leads: int | None = None,
    ) -> Found:
        """Send it leads from a process of its own; every one must be accepted."""
        processes = {
            "endpoint": self.process.pid,
            "postgresql": self.stage.server.process.pid,
            "kafka": self.stage.broker.process.pid,
        }
        load = Load(self.port, PATH, KEY, connections, seconds, leads, warm_up, rate, processes)
        output = await _output([sys.executable, "-m", ingest_client.__name__, json.dumps(asdict(load))])
        found = Found(**json.loads(output))
        if set(found.statuses) != {str(ingest_client.ACCEPTED)}:
            raise RuntimeError(f"Leads were not accepted: {found.statuses}. The end of its log:\n{self.process.tail()}")
        return found

    async def published(self) -> None:
        """Wait until the outbox is empty."""
        connection = await self.stage.server.connect(self.database)

        async def nothing_waits() -> bool:
            self.process.must_run()
            return not await connection.fetchval("SELECT EXISTS (SELECT FROM ingest.outbox)")

        try:
            await wait_until(nothing_waits, what="the outbox to be published", limit=_PUBLISHED_LIMIT)
        finally:
            await connection.close()


@asynccontextmanager
async def ingest(stage: Stage, *, storing: bool, launcher: Sequence[str] = ()) -> AsyncIterator[Endpoint]:
    """`relance-ingest serve` with settings as shipped, on a fresh database; it publishes to the real Kafka."""
    async with stage.fresh_database() as database:
        folder = stage.folder / database
        folder.mkdir()
        sources = folder / "sources.yaml"
        sources.write_text(_SOURCES)
        if not storing:
            launcher = (sys.executable, ingest_without_storing.__file__)
        configuration = Configuration(folder / "unused", sources, launcher=launcher)
        services = Services(Parts(folder, stage.server, stage.broker, database, PREFIX), configuration)
        try:
            await services.start([INGEST])
            port = int(services.url(INGEST).rpartition(":")[2])
            yield Endpoint(services.running[INGEST], port, stage, database)
        finally:
            await services.stop()


@asynccontextmanager
async def naive(stage: Stage) -> AsyncIterator[Endpoint]:
    """The naive endpoint, on a fresh database."""
    async with stage.fresh_database() as database:
        port = free_port()
        arguments = [stage.server.url("ingest", database), str(port)]
        process = ChildProcess(
            "the naive endpoint",
            [sys.executable, "-m", naive_ingest.__name__, *arguments],
            log=stage.folder / f"naive-{database}.log",
            folder=ROOT,
        )

        async def listens() -> bool:
            process.must_run()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        try:
            await wait_until(listens, what="the naive endpoint to listen")
            yield Endpoint(process, port, stage, database)
        finally:
            await process.stop()


async def inserts_per_second(stage: Stage, seconds: float) -> float:
    """`pgbench`: prepared single-row inserts of the same row by 16 clients, on a fresh database."""
    async with stage.fresh_database() as database:
        script = stage.folder / "insert.sql"
        script.write_text(_INSERT)
        program = binaries() / "pgbench"
        output = await _output(
            [
                str(program), "--no-vacuum", "--protocol=prepared", f"--file={script}", f"--time={seconds:.0f}",
                f"--client={PGBENCH_CLIENTS}", stage.server.url("ingest", database, "postgresql"),
            ]
        )  # fmt: skip
    rate = re.search(r"^tps = ([0-9.]+)", output, re.MULTILINE)
    if rate is None:
        raise RuntimeError(f"pgbench says no rate:\n{output}")
    return float(rate[1])


_DATA = {
    "lead_id": "01932f6e-8a3b-7c21-9d11-0a4d5b6c7e8f",
    "source": "website",
    "channel": "form",
    "campaign": "spring",
    "received_at": "2026-11-25T04:30:00.123456Z",
    "identity_key": "0123456789abcdef0123456789abcdef",
    "contact": {
        "name": "Maria Huber 123456789",
        "email": "maria.huber.123456789@company-123456789.example",
        "phone": "+491711234567",
        "company": "Company 123456789",
        "country": "DE",
    },
    "fields": {
        "budget": "20k",
        "message": "Please call me back about the offer on your page.",
        "product": "solar",
    },
    "call": None,
}
_INSERT = f"""
    INSERT INTO ingest.leads (id, source, channel, campaign, idempotency_key, fingerprint, received_at, data)
    VALUES (
        gen_random_uuid(), 'website', 'form', 'spring', gen_random_uuid()::text, '\\x{"ab" * 32}', now(),
        '{json.dumps(_DATA)}'
    );
"""


async def _output(command: Sequence[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{errors.decode()}")
    return output.decode()
