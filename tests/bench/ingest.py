"""`make bench-ingest`: how many leads one ingest process accepts, beside what stores nothing and what is naive."""

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tests.bench.ingest_report import document, tables
from tests.bench.ingest_runs import Latency, Plan, Rate, Soak, repetition, soak
from tests.bench.machine import machine
from tests.bench.stage import Stage, running_stage

from relance.clock import utc_now
from relance_local.stack import ROOT

DOCUMENT = ROOT / "docs" / "bench" / "ingest.md"
FULL = Plan(repetitions=5, warm_up=1, window=4, soak=1_000_000)
QUICK = Plan(repetitions=1, warm_up=1, window=3, soak=0)


@dataclass(frozen=True)
class Outcome:
    """What one run of the benchmark found."""

    rates: Sequence[Rate]
    latencies: Sequence[Latency]
    soak: Soak | None
    machine: dict[str, str]


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="One short run of each, to try it; writes no page.")] = False,
    leads: Annotated[int | None, typer.Option(help="Leads of the memory run; 0 leaves it out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure, print the tables, and write docs/bench/ingest.md."""
    # aiokafka logs every broker that is just starting; what matters is raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(stderr=as_json, width=None if sys.stderr.isatty() else 140)
    plan = QUICK if quick else FULL
    if leads is not None:
        plan = replace(plan, soak=leads)
    with tempfile.TemporaryDirectory(prefix="relance-bench-", ignore_cleanup_errors=True) as folder:
        outcome = asyncio.run(_measured(plan, Path(folder), console))
    made = tables(outcome.rates, outcome.latencies, outcome.soak)
    for table in made:
        table.show(console)
    if as_json:
        json.dump(asdict(outcome), sys.stdout, indent=2)
        sys.stdout.write("\n")
    if not quick:
        DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
        DOCUMENT.write_text(document(made, outcome.machine, utc_now()))
        console.print(f"Written: {DOCUMENT.relative_to(ROOT)}")


async def _measured(plan: Plan, folder: Path, console: Console) -> Outcome:
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    rates: list[Rate] = []
    latencies: list[Latency] = []
    soaked: Soak | None = None
    with Progress(*columns, console=console) as progress:
        async with running_stage(folder, progress.console.print) as stage:
            facts = machine(await _postgresql(stage), "ingest, PostgreSQL, Kafka and the client")
            repeated = progress.add_task("Repetitions", total=plan.repetitions)
            for _ in range(plan.repetitions):
                more_rates, more_latencies = await repetition(stage, plan)
                rates += more_rates
                latencies += more_latencies
                progress.advance(repeated)
            if plan.soak:
                sent = progress.add_task("Memory", total=plan.soak)
                soaked = await soak(stage, plan.soak, lambda count: progress.update(sent, completed=count))
    return Outcome(rates, latencies, soaked, facts)


async def _postgresql(stage: Stage) -> str:
    connection = await stage.server.connect("postgres")
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


if __name__ == "__main__":
    typer.run(bench)
