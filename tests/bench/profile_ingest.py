"""Where ingest's processor time goes: `python -m tests.bench.profile_ingest` samples one real process."""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from tests.bench import sampled
from tests.bench.ingest_client import Found
from tests.bench.ingest_contenders import CONNECTIONS, ingest
from tests.bench.samples import show
from tests.bench.stage import running_stage


def profile(
    leads: Annotated[int, typer.Option(help="Leads to accept.")] = 60_000,
    top: Annotated[int, typer.Option(help="Functions to print.")] = 40,
) -> None:
    """Accept leads in one process and print what costs most, in microseconds of processor time per lead."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="relance-profile-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "samples.json"
        found = asyncio.run(_accept(Path(folder), file, leads))
        collecting = show(console, file, found.answered, top)
    console.print(
        f"{found.answered} leads, in µs per lead: {found.seconds / found.answered * 1e6:.0f} on the clock, "
        f"{found.processor['endpoint'] / found.answered * 1e6:.0f} of processor time, "
        f"and {collecting:.0f} in garbage collection, with the start's."
    )


async def _accept(folder: Path, file: Path, leads: int) -> Found:
    launcher = (sys.executable, sampled.__file__, str(file))
    async with (
        running_stage(folder, Console(stderr=True).print) as stage,
        ingest(stage, storing=True, launcher=launcher) as endpoint,
    ):
        found = await endpoint.under(connections=CONNECTIONS, seconds=None, leads=leads)
        await endpoint.published()
    return found


if __name__ == "__main__":
    typer.run(profile)
