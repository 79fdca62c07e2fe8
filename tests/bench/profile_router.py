"""Where the router's time goes: `python -m tests.bench.profile_router` runs one real replica under cProfile.

The profiler slows Python down several times over: look at what weighs how much, and take rates from `bench-router`.
"""

import asyncio
import logging
import pstats
import re
import sys
import tempfile
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from tests.bench.contenders import routers
from tests.bench.leads import publish
from tests.bench.routing_files import equal_reps
from tests.bench.sink import DELIVERING, HELD_OFF, running_sink
from tests.bench.stage import running_stage

from relance_local.conditions import wait_until

Function = tuple[str, int, str]
"""File, line and name, as pstats has them."""

_LIMIT = timedelta(minutes=5)
_OURS = ("relance", "relance_router")
_PACKAGE = re.compile(r"(?:site-packages|services/[^/]+|/shared|lib/python3\.\d+(?!/site-packages))/(\w+)")
_IMPORTING = re.compile(r"importlib|marshal|__build_class__|/re/_|schema|<module>|/typing.py|builtins.compile|ssl")


def profile(
    reps: Annotated[int, typer.Option(help="Reps in the one team.")] = 100,
    leads: Annotated[int, typer.Option(help="Leads to route.")] = 20_000,
    delivering: Annotated[bool, typer.Option("--delivering", help="Deliver webhooks too, to a local sink.")] = False,
    top: Annotated[int, typer.Option(help="Functions to print.")] = 40,
    keep: Annotated[Path | None, typer.Option(help="A file to keep the profile in, for snakeviz and the like.")] = None,
) -> None:
    """Route leads in one replica under cProfile and print what costs most, in microseconds per lead."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="relance-profile-", ignore_cleanup_errors=True) as folder:
        file = keep or Path(folder) / "router.profile"
        asyncio.run(_route(Path(folder), file, reps, leads, delivering=delivering))
        costs = _costs(file)
    for table in (
        _table("By package, own time", _by_package(costs), leads, top=20),
        _table("By function, own time", {_named(name): own for name, (_, own, _) in costs.items()}, leads, top),
        _table("By our function, with all it calls", _ours(costs), leads, top),
    ):
        console.print(table)


async def _route(folder: Path, file: Path, reps: int, leads: int, *, delivering: bool) -> None:
    launcher = (sys.executable, "-m", "cProfile", "-o", str(file))
    settings = DELIVERING if delivering else HELD_OFF
    async with (
        running_stage(folder, Console(stderr=True).print) as stage,
        stage.fresh_database() as database,
        running_sink(holding=not delivering) as sink,
    ):
        await publish(stage, leads, lambda _: None)
        connection = await stage.server.connect(database)

        async def all_routed() -> bool:
            for process in running.processes:
                process.must_run()
            return bool(await connection.fetchval("SELECT count(*) FROM router.leads") >= leads)

        team = equal_reps(reps)
        async with routers(stage, database, team, sink, settings, replicas=1, launcher=launcher) as running:
            await wait_until(all_routed, what="all leads to be routed", limit=_LIMIT)
        await connection.close()


def _costs(file: Path) -> dict[Function, tuple[int, float, float]]:
    """Calls, own seconds and seconds with all that is called, by function; without importing and waiting."""
    stats = pstats.Stats(str(file)).stats  # type: ignore[attr-defined]
    return {
        name: (calls, own, cumulative)
        for name, (_, calls, own, cumulative, _) in stats.items()
        if not _IMPORTING.search(f"{name[0]} {name[2]}") and "epoll" not in name[2]
    }


def _by_package(costs: dict[Function, tuple[int, float, float]]) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for name, (_, own, _) in costs.items():
        found[_package(name)] += own
    return found


def _package(name: Function) -> str:
    file, _, function = name
    if file == "~":
        module = re.search(r"of '(\w+)|built-in method (\w+)\.", function)
        return f"C: {module[1] or module[2]}" if module else "C: builtins"
    found = _PACKAGE.search(file)
    return found[1] if found else Path(file).stem


def _ours(costs: dict[Function, tuple[int, float, float]]) -> dict[str, float]:
    return {_named(name): cumulative for name, (_, _, cumulative) in costs.items() if _package(name) in _OURS}


def _named(name: Function) -> str:
    file, line, function = name
    return function if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} {function}"


def _table(title: str, seconds: dict[str, float], leads: int, top: int) -> Table:
    table = Table(title=title)
    table.add_column("where", overflow="fold")
    table.add_column("µs per lead", justify="right")
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1])[:top]:
        table.add_row(name, f"{spent / leads * 1e6:.1f}")
    return table


if __name__ == "__main__":
    typer.run(profile)
