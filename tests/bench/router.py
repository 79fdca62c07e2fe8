"""`make bench-router`: how fast the router is beside a naive one, and how fair under fire."""

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tests.bench.fairness import Fairness, fairness
from tests.bench.leads import PARTITIONS, publish
from tests.bench.machine import machine
from tests.bench.report import document, flatness, ratio, tables
from tests.bench.stage import Stage, running_stage
from tests.bench.throughput import NAIVE, OURS, OURS_DELIVERING, Case, Result, Run, measure, results

from relance.clock import utc_now
from relance_local.stack import ROOT

DOCUMENT = ROOT / "docs" / "bench" / "router.md"


@dataclass(frozen=True)
class Plan:
    """How much is measured. `window` is in seconds; all runs read the same `leads`, fairness those from `offset` on."""

    sizes: Sequence[int]
    repetitions: int
    window: float
    leads: int
    offset: int = 0

    @property
    def leads_under_fire(self) -> int:
        """How many are routed for fairness: each partition has far more than `offset`."""
        return self.leads - self.offset * PARTITIONS

    @property
    def cases(self) -> list[Case]:
        """Every case, ours beside the naive."""
        sides = [Case(name, reps, n) for reps in self.sizes for n in (1, 2) for name in (OURS, NAIVE)]
        return [*sides, Case(OURS_DELIVERING, self.sizes[len(self.sizes) // 2], 1)]


FULL = Plan(sizes=(10, 100, 1000), repetitions=3, window=6, leads=100_000)
QUICK = Plan(sizes=(10, 1000), repetitions=1, window=3, leads=40_000, offset=2_500)


@dataclass(frozen=True)
class Outcome:
    """What one run of the benchmark found."""

    found: dict[Case, Result]
    fairness: Fairness
    machine: dict[str, str]


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and shorter runs, to try it; writes no page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed has the same reps come and go.")] = 1,
) -> None:
    """Measure, print the tables, and write docs/bench/router.md."""
    # aiokafka logs every broker that is just starting; what matters is raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(stderr=as_json, width=None if sys.stderr.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="relance-bench-", ignore_cleanup_errors=True) as folder:
        outcome = asyncio.run(_measured(QUICK if quick else FULL, Path(folder), seed, console))
    made = tables(outcome.found, outcome.fairness)
    for table in made:
        table.show(console)
    if as_json:
        json.dump(_plain(outcome), sys.stdout, indent=2)
        sys.stdout.write("\n")
    if not quick:
        DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
        DOCUMENT.write_text(document(made, outcome.machine, "make bench-router", utc_now()))
        console.print(f"Written: {DOCUMENT.relative_to(ROOT)}")
    if not outcome.fairness.holds:
        raise typer.Exit(1)


async def _measured(plan: Plan, folder: Path, seed: int, console: Console) -> Outcome:
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=console) as progress:
        async with running_stage(folder, progress.console.print) as stage:
            facts = machine(await _postgresql(stage))
            published = progress.add_task("Publishing leads", total=plan.leads)
            await publish(stage, plan.leads, lambda count: progress.advance(published, count))
            runs = await _runs(stage, plan, progress)
            fire = progress.add_task("Fairness under fire", total=plan.leads_under_fire)

            def routed(count: int) -> None:
                progress.update(fire, completed=count)

            books = await fairness(stage, plan.leads_under_fire, plan.offset, seed, routed)
            routed(plan.leads_under_fire)
    return Outcome(results(runs), books, facts)


async def _runs(stage: Stage, plan: Plan, progress: Progress) -> list[Run]:
    runs: list[Run] = []
    task = progress.add_task("Throughput", total=plan.repetitions * len(plan.cases))
    for _ in range(plan.repetitions):
        for case in plan.cases:
            progress.update(task, description=f"{case.contender}, {case.reps} reps, {case.replicas} replica(s)")
            runs.append(await measure(stage, case, plan.window))
            progress.advance(task)
    progress.update(task, description="Throughput")
    return runs


async def _postgresql(stage: Stage) -> str:
    connection = await stage.server.connect("postgres")
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def _plain(outcome: Outcome) -> dict[str, object]:
    found, books = outcome.found, outcome.fairness
    return {
        "machine": outcome.machine,
        "throughput": [
            {**asdict(result.median), "slowest": result.slowest, "fastest": result.fastest} for result in found.values()
        ],
        "ratio": [
            {"reps": case.reps, "replicas": case.replicas, "ratio": ratio(found, case.reps, case.replicas)}
            for case in found
            if case.contender == OURS
        ],
        "flatness": {replicas: flatness(found, OURS, replicas) for replicas in (1, 2)},
        "fairness": {name: value for name, value in vars(books).items() if name != "shares"},
        "shares": {
            rep: {"given": standing.given, "share": float(standing.share)}
            for rep, standing in books.shares.standings.items()
        },
    }


if __name__ == "__main__":
    typer.run(bench)
