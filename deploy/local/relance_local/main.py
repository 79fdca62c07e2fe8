"""`relance-local`: run the system on this machine, with or without simulated traffic."""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import psutil
import typer
from rich.console import Console

from relance_local.broker import KafkaNotFetched
from relance_local.child_process import ProcessDied
from relance_local.conditions import NotInTime
from relance_local.demo.show import show_demo
from relance_local.services import INGEST, NAMES, ROUTER, SLA_MONITOR, Configuration
from relance_local.stack import CONFIGURATION, ROOT, running_parts, running_services

Result = TypeVar("Result")

command_line = typer.Typer(
    help="Relance on this machine, without containers.", no_args_is_help=True, pretty_exceptions_enable=False
)
console = Console(stderr=True)

FOLDER = ROOT / ".local" / "run"
_STATE = FOLDER / "state.json"
_PORTS = {INGEST: 8080, ROUTER: 8081, SLA_MONITOR: 8082}
_UP_LIMIT = timedelta(minutes=10)
"""The first start downloads Kafka."""


@command_line.command()
def demo(
    seconds: Annotated[int, typer.Option(help="How long web forms send leads.")] = 150,
    per_second: Annotated[float, typer.Option(help="Submissions per second.")] = 6.0,
    seed: Annotated[int, typer.Option(help="The same seed sends the same leads.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    keep: Annotated[Path | None, typer.Option(help="An empty folder to keep data and logs in.")] = None,
) -> None:
    """Run everything with simulated web forms and reps, show it live, and prove the books at the end."""
    with tempfile.TemporaryDirectory(prefix="relance-demo-", ignore_cleanup_errors=True) as folder:
        proven = _run(
            show_demo(keep or Path(folder), seconds=seconds, per_second=per_second, seed=seed, as_json=as_json)
        )
    if not proven:
        raise typer.Exit(1)


@command_line.command()
def up() -> None:
    """Start the system in the background and print its addresses. Data stays in .local/run."""
    running = _supervisor()
    if running:
        console.print(f"Relance runs already (process {running.pid}). `make down` stops it.")
        _print_addresses()
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    _STATE.unlink(missing_ok=True)
    log = FOLDER / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.argv[0], "run"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    with console.status("Starting PostgreSQL, Kafka and the services (the first time fetches Kafka)"):
        until = time.monotonic() + _UP_LIMIT.total_seconds()
        while not _STATE.exists():
            if process.poll() is not None or time.monotonic() > until:
                console.print(f"[red]Relance did not start.[/] The end of {log}:\n{log.read_text()[-3000:]}")
                raise typer.Exit(1)
            time.sleep(0.1)
    _print_addresses()


@command_line.command()
def down() -> None:
    """Stop what `up` started. Data stays."""
    running = _supervisor()
    if running is None:
        console.print("Relance does not run.")
        return
    with console.status("Stopping"):
        running.send_signal(signal.SIGTERM)
        running.wait()
    _STATE.unlink(missing_ok=True)
    console.print("Stopped.")


@command_line.command()
def token() -> None:
    """Print the operators' token of what `up` runs: `export RELANCE_OPERATOR_TOKEN=$(relance-local token)`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    typer.echo(_kept_secrets()["operator_token"])


@command_line.command(hidden=True)
def run() -> None:
    """What `up` runs in the background: start, note the addresses, stop on SIGTERM."""
    _run(_supervise())


async def _supervise() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    kept = _kept_secrets()
    configuration = Configuration(
        CONFIGURATION / "routing.yaml",
        CONFIGURATION / "sources.yaml",
        webhook_secret=kept["webhook_secret"],
        link_secret=kept["link_secret"],
        operator_token=kept["operator_token"],
        board_secret=kept["board_secret"],
        identity_secret=kept["identity_secret"],
        environment={"DEMO_PAGE": "true"},
    )
    ports = {name: port for name, port in _PORTS.items() if _is_free(port)}
    async with (
        running_parts(FOLDER, print) as (server, broker),
        running_services(FOLDER, (server, broker), configuration, print, ports) as services,
    ):
        state = {
            "pid": os.getpid(),
            **{name: services.url(name) for name in NAMES},
            "form": services.url(INGEST) + "/demo",
            "board": services.board_link(),
            "postgresql": server.url("reporting", "relance", "postgresql"),
            "kafka": broker.bootstrap_servers,
        }
        written = _STATE.with_suffix(".new")
        written.write_text(json.dumps(state))
        written.rename(_STATE)
        while not stop.is_set():
            for process in (server.process, broker.process, *services.running.values()):
                process.must_run()
            try:
                async with asyncio.timeout(1):
                    await stop.wait()
            except TimeoutError:
                continue


def _run(work: Coroutine[None, None, Result]) -> Result:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        console.print("Stopped: every process that was started has ended.")
        raise typer.Exit(130) from None
    except (KafkaNotFetched, ProcessDied, NotInTime) as error:
        console.print(f"[red]{type(error).__name__}[/]: {error}")
        raise typer.Exit(1) from error


def _kept_secrets() -> dict[str, str]:
    """Made once: answer links sent before a restart keep working, and people from before it are recognised."""
    file = FOLDER / "secrets.json"
    file.touch(mode=0o600)
    kept: dict[str, str] = json.loads(file.read_text() or "{}")
    names = ("webhook_secret", "link_secret", "operator_token", "board_secret", "identity_secret")
    made = {name: secrets.token_hex(24) for name in names} | kept
    file.write_text(json.dumps(made))
    return made


def _supervisor() -> psutil.Process | None:
    """The process that `up` started, if it still runs."""
    if not _STATE.exists():
        return None
    try:
        process = psutil.Process(json.loads(_STATE.read_text())["pid"])
        # Its id may have gone to another program since.
        return process if "run" in process.cmdline() and "relance-local" in " ".join(process.cmdline()) else None
    except psutil.NoSuchProcess:
        return None


def _print_addresses() -> None:
    for name, address in json.loads(_STATE.read_text()).items():
        if name != "pid":
            typer.echo(f"{name:12} {address}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
