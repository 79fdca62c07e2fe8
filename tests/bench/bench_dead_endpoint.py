"""How long healthy endpoints wait for their notifications while another one is dead with a long backlog.

`python -m tests.bench.bench_dead_endpoint [--json]`: one delivery worker on a real PostgreSQL. Notifications are
written at a steady rate for healthy endpoints and timed from commit to arrival: first alone, then beside an
endpoint that takes every request and never answers.
"""

import asyncio
import json
import logging
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import structlog
import typer
import yaml
from aiohttp import web
from pydantic_core import MultiHostUrl
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from tests.http_servers import answering

import relance_router
from relance import migrations
from relance.clock import utc_now
from relance.database import Database
from relance.ids import NotificationId, new_id
from relance_local.conditions import free_port, wait_until
from relance_local.database_server import DatabaseServer
from relance_router.answers.links import AnswerLinks
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries.announcements import NewNotification
from relance_router.deliveries.couriers import Couriers
from relance_router.deliveries.endpoints import rep_endpoint
from relance_router.deliveries.formats import MessageFormat, StandardWebhook
from relance_router.deliveries.mailer import Mailer
from relance_router.deliveries.notifications import write_notifications
from relance_router.deliveries.sender import Sender
from relance_router.deliveries.worker import DeliveryWorker
from relance_router.domain.configuration import Format

HEALTHY = 50
DEAD = "dead"
TIMEOUT = timedelta(seconds=2)
_BACKLOG = text("""
    INSERT INTO notifications (id, key, type, endpoint, details, traceparent)
    SELECT gen_random_uuid(), 'backlog ' || n, 'lead.joined', :endpoint, '{}', '' FROM generate_series(1, :count) AS n
""")
_ATTEMPTS = text("SELECT coalesce(sum(attempts), 0) FROM notifications WHERE endpoint = :endpoint AND attempts > 0")


@dataclass(frozen=True)
class Measured:
    """One run; latencies in milliseconds."""

    run: str
    backlog: int
    delivered: int
    p50: float
    p99: float
    longest: float
    attempts_at_dead: int


class Endpoints:
    """All of them, the dead one too."""

    def __init__(self) -> None:
        self.port = free_port()
        self.arrived: dict[str, float] = {}

    async def listen(self, request: web.Request) -> web.Response:
        """Take one webhook; the dead endpoint never answers."""
        if request.match_info["endpoint"] == DEAD:
            await asyncio.Event().wait()
        self.arrived[request.headers["webhook-id"]] = time.perf_counter()
        return web.Response()

    def routing(self) -> str:
        """A configuration with every endpoint."""
        reps = [f"rep{number}" for number in range(HEALTHY)] + [DEAD]
        promise = {"respond_within": "5m", "escalation": "none"}
        document = {
            "reps": [{"id": rep, "webhook": f"http://127.0.0.1:{self.port}/{rep}"} for rep in reps],
            "teams": [
                {"id": "all", "manager": f"http://127.0.0.1:{self.port}/m", "members": [{"rep": rep} for rep in reps]}
            ],
            "escalation_policies": [{"id": "none", "steps": [{"name": "breach", "action": "breach", "at": "100%"}]}],
            "fallback": {"team": "all", **promise},
        }
        return yaml.safe_dump(document)


async def measure(database: Database, *, run: str, backlog: int, seconds: float, per_second: int) -> Measured:
    """Deliver at a steady rate, beside a backlog of this length."""
    async with AsyncExitStack() as closing:
        endpoints = Endpoints()
        await closing.enter_async_context(answering(endpoints.port, web.post("/{endpoint}", endpoints.listen)))
        async with database.transaction() as connection:
            await connection.execute(text("TRUNCATE notifications, endpoints CASCADE"))
            await ConfigurationVersions().apply(connection, endpoints.routing())
            await connection.execute(_BACKLOG, {"endpoint": rep_endpoint(DEAD), "count": backlog})

        links = AnswerLinks(public_url="http://127.0.0.1", secret="s" * 32, lifetime=timedelta(days=1))
        sender = Sender(allowed_hosts=frozenset(["127.0.0.1"]), timeout=TIMEOUT, clock=utc_now)
        closing.push_async_callback(sender.close)
        formats: dict[Format, MessageFormat] = {"webhook": StandardWebhook(links, ["m" * 32], utc_now)}
        worker = DeliveryWorker(
            database,
            ConfigurationVersions(),
            Couriers(sender, Mailer(None, timeout=TIMEOUT), formats, links),
            concurrency=100,
            per_endpoint=8,
            mails=4,
            email_after=timedelta(minutes=2),
            lease=3 * TIMEOUT,
        )
        task = asyncio.create_task(worker.ticker.run())
        written = await _write(database, worker, seconds=seconds, per_second=per_second)
        await wait_until(lambda: written.keys() <= endpoints.arrived.keys(), what="everything to arrive")
        worker.ticker.request_stop()
        await task
        async with database.transaction() as connection:
            attempts = await connection.execute(_ATTEMPTS, {"endpoint": rep_endpoint(DEAD)})
            attempts_at_dead: int = attempts.scalar_one()
    waits = sorted((endpoints.arrived[id_] - at) * 1000 for id_, at in written.items())
    cuts = quantiles(waits, n=100)
    return Measured(
        run, backlog, len(waits), round(cuts[49], 1), round(cuts[98], 1), round(waits[-1], 1), attempts_at_dead
    )


async def _write(database: Database, worker: DeliveryWorker, *, seconds: float, per_second: int) -> dict[str, float]:
    written: dict[str, float] = {}
    began = time.perf_counter()
    for number in range(int(seconds * per_second)):
        await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
        notification = NewNotification(
            id=NotificationId(new_id()),
            key=f"measured {number}",
            type="lead.joined",
            endpoint=rep_endpoint(f"rep{number % HEALTHY}"),
            details={},
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        async with database.transaction() as connection:
            await write_notifications(connection, [notification])
        written[str(notification.id)] = time.perf_counter()
        worker.ticker.nudge()
    return written


async def bench(*, backlog: int, seconds: float, per_second: int) -> Sequence[Measured]:
    """Both runs, on a PostgreSQL of their own."""
    with tempfile.TemporaryDirectory(prefix="relance-bench-", ignore_cleanup_errors=True) as folder:
        server = DatabaseServer(Path(folder))
        await server.start()
        database = None
        try:
            await server.create_relance_database("bench")
            url = MultiHostUrl(server.url("router", "bench"))
            database = Database(url, schema="router", pool_size=10, timeout=timedelta(seconds=30))
            await migrations.upgrade(database, Path(relance_router.__file__).parent / "migrations")
            await measure(database, run="warm-up", backlog=0, seconds=3, per_second=per_second)
            return [
                await measure(database, run=run, backlog=rows, seconds=seconds, per_second=per_second)
                for run, rows in (("alone", 0), ("beside a dead endpoint", backlog))
            ]
        finally:
            if database:
                await database.close()
            await server.stop()


def main(
    backlog: Annotated[int, typer.Option(help="Notifications that are due at the dead endpoint.")] = 100_000,
    seconds: Annotated[float, typer.Option(help="How long each run writes.")] = 15,
    per_second: Annotated[int, typer.Option(help="Notifications written for healthy endpoints.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure both runs and print them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    runs = asyncio.run(bench(backlog=backlog, seconds=seconds, per_second=per_second))
    if as_json:
        typer.echo(json.dumps([asdict(run) for run in runs]))
        return
    table = Table(title=f"From commit to arrival at {HEALTHY} healthy endpoints, {per_second} a second (milliseconds)")
    for heading in ("run", "backlog", "delivered", "p50", "p99", "longest", "attempts at the dead one"):
        table.add_column(heading, justify="left" if heading == "run" else "right")
    for run in runs:
        table.add_row(*(str(value) for value in asdict(run).values()))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
