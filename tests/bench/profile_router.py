"""Where the router's processor time goes: `python -m tests.bench.profile_router` samples one real replica."""

import asyncio
import logging
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from tests.bench import sampled
from tests.bench.contenders import routers
from tests.bench.leads import publish
from tests.bench.routing_files import equal_reps
from tests.bench.samples import show
from tests.bench.sink import DELIVERING, HELD_OFF, running_sink
from tests.bench.stage import running_stage

from relance_local.conditions import wait_until

_LIMIT = timedelta(minutes=5)


def profile(
    reps: Annotated[int, typer.Option(help="Reps in the one team.")] = 100,
    leads: Annotated[int, typer.Option(help="Leads to route.")] = 20_000,
    delivering: Annotated[bool, typer.Option("--delivering", help="Deliver webhooks too, to a local sink.")] = False,
    top: Annotated[int, typer.Option(help="Functions to print.")] = 40,
) -> None:
    """Route leads in one replica and print what costs most, in microseconds of processor time per lead."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="relance-profile-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "samples.json"
        seconds, cpu = asyncio.run(_route(Path(folder), file, reps, leads, delivering=delivering))
        collecting = show(console, file, leads, top)
    console.print(
        f"{leads} leads to {reps} reps, in µs per lead: {seconds / leads * 1e6:.0f} on the clock, "
        f"{cpu / leads * 1e6:.0f} of processor time with the start, "
        f"{collecting:.0f} of it in garbage collection."
    )


async def _route(folder: Path, file: Path, reps: int, leads: int, *, delivering: bool) -> tuple[float, float]:
    """Seconds that it took from the first lead, and seconds of processor time."""
    launcher = (sys.executable, sampled.__file__, str(file))
    settings = DELIVERING if delivering else HELD_OFF
    async with (
        running_stage(folder, Console(stderr=True).print) as stage,
        stage.fresh_database() as database,
        running_sink(holding=not delivering) as sink,
    ):
        await publish(stage, leads, lambda _: None)
        connection = await stage.server.connect(database)
        async with routers(stage, database, equal_reps(reps), sink, settings, replicas=1, launcher=launcher) as running:

            async def all_routed() -> bool:
                for process in running.processes:
                    process.must_run()
                return bool(await connection.fetchval("SELECT count(*) FROM router.leads") >= leads)

            await wait_until(all_routed, what="all leads to be routed", limit=_LIMIT)
            times = psutil.Process(running.processes[0].pid).cpu_times()
        seconds = await connection.fetchval(
            "SELECT extract(epoch FROM max(routed_at) - min(routed_at))::float8 FROM router.leads"
        )
        await connection.close()
    return seconds, times.user + times.system


if __name__ == "__main__":
    typer.run(profile)
