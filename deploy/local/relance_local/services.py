"""The three services as processes, against a database and a broker that run already."""

import asyncio
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from relance_local.broker import Broker
from relance_local.child_process import ChildProcess
from relance_local.conditions import free_port, wait_until
from relance_local.database_server import DatabaseServer
from relance_sla_monitor.board.access import Access, BoardLinks

INGEST, ROUTER, SLA_MONITOR = "ingest", "router", "sla-monitor"
NAMES = (INGEST, ROUTER, SLA_MONITOR)
_ROLES = {INGEST: "ingest", ROUTER: "router", SLA_MONITOR: "sla"}
_READY_LIMIT = timedelta(seconds=60)


@dataclass(frozen=True)
class Parts:
    """What services stand on."""

    folder: Path
    """Logs go here."""
    server: DatabaseServer
    broker: Broker
    database: str = "relance"
    topic_prefix: str = ""


@dataclass(frozen=True)
class Configuration:
    """What services are told."""

    routing_file: Path
    sources_file: Path
    webhook_secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    link_secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    operator_token: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    board_secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    form_token_secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    identity_secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further settings for all three, named without their prefix."""
    launcher: Sequence[str] = ()
    """What a service's command is given to, such as a profiler."""


class Services:
    """Starts, stops and finds the services. Each may have replicas."""

    def __init__(self, parts: Parts, configuration: Configuration, ports: Mapping[str, int] | None = None) -> None:
        self._parts = parts
        self._configuration = configuration
        self._ports = {name: free_port() for name in NAMES} | dict(ports or {})
        self._router_port = self._ports[ROUTER]
        self._board_url = self.url(SLA_MONITOR)
        self.running: dict[str, ChildProcess] = {}

    def url(self, name: str) -> str:
        """The HTTP address of a service, or of a replica by the name it was started with."""
        return f"http://127.0.0.1:{self._ports[name]}"

    def board_link(self, team: str | None = None, lifetime: timedelta = timedelta(days=30)) -> str:
        """A link to the board, as `relance-sla-monitor board-link` makes it."""
        links = BoardLinks(public_url=self._board_url, secret=self._configuration.board_secret)
        return links.url(Access(team, datetime.now(UTC) + lifetime))

    async def migrate(self) -> None:
        """Prepare schemas and topics.

        Raises:
            RuntimeError: a migration failed; with the end of its log.
        """
        migrations = [self._launch(name, f"{name}-migrate", "migrate") for name in NAMES]
        for name, process in zip(NAMES, migrations, strict=True):
            if await process.ended():
                raise RuntimeError(f"{name} migrate failed:\n{process.tail()}")

    async def start(self, names: Sequence[str] = NAMES) -> None:
        """Start services and wait until they are ready."""
        for name in names:
            self.running[name] = self._launch(name, name, "serve")
        await asyncio.gather(*(self.ready(name) for name in names))

    async def start_replica(self, name: str, replica: str) -> None:
        """Start another process of a service, under a name of its own."""
        self._ports[replica] = free_port()
        self.running[replica] = self._launch(name, replica, "serve")
        await self.ready(replica)

    async def ready(self, name: str) -> None:
        """Wait until the service says that it can do its work.

        Raises:
            ProcessDied: it ended instead; with the end of its log.
            NotInTime: it never said so.
        """
        process = self.running[name]

        async def is_ready() -> bool:
            process.must_run()
            try:
                async with aiohttp.ClientSession() as session, session.get(self.url(name) + "/readyz") as answer:
                    return answer.status == 200  # noqa: PLR2004
            except aiohttp.ClientError:
                return False

        await wait_until(is_ready, what=f"{name} to be ready", limit=_READY_LIMIT)

    async def stop(self) -> None:
        """Stop all, intake first."""
        for process in self.running.values():
            await process.stop()

    def log(self, name: str) -> Path:
        """Where a service's output goes."""
        return self._parts.folder / f"{name}.log"

    def _launch(self, service: str, name: str, command: str) -> ChildProcess:
        return ChildProcess(
            name,
            [*self._configuration.launcher, str(Path(sys.executable).parent / f"relance-{service}"), command],
            log=self.log(name),
            environment=self._environment(service, name),
        )

    def _environment(self, service: str, name: str) -> dict[str, str]:
        configuration = self._configuration
        own_port = self._ports.get(name, self._ports[service])
        settings = {
            "DATABASE_URL": self._parts.server.url(_ROLES[service], self._parts.database),
            "KAFKA_BOOTSTRAP_SERVERS": self._parts.broker.bootstrap_servers,
            "TOPIC_PREFIX": self._parts.topic_prefix,
            "HTTP_PORT": str(self._ports.get(name, 0)),
            "SOURCES_FILE": str(configuration.sources_file),
            "ROUTING_FILE": str(configuration.routing_file),
            "PUBLIC_URL": f"http://127.0.0.1:{own_port if service == INGEST else self._router_port}",
            "WEBHOOK_SECRET": configuration.webhook_secret,
            "LINK_SECRET": configuration.link_secret,
            "OPERATOR_TOKEN": configuration.operator_token,
            "BOARD_SECRET": configuration.board_secret,
            "BOARD_URL": self._board_url,
            "FORM_TOKEN_SECRET": configuration.form_token_secret,
            "IDENTITY_SECRET": configuration.identity_secret,
            **configuration.environment,
        }
        return {f"RELANCE_{name}": value for name, value in settings.items()}
