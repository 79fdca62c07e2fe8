"""`make bench-sla`: how late timers fire among many that are open, and how fast clocks start, beside a sweep."""

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
from tests.bench.machine import machine
from tests.bench.report import Table
from tests.bench.sla_runs import OURS, PER_SECOND, Run, started_per_second, sweeps, timers
from tests.bench.stage import running_stage

from relance.clock import utc_now
from relance_local.stack import ROOT

DOCUMENT = ROOT / "docs" / "bench" / "sla.md"
_WANTED = 0.1
"""Seconds that 99 of 100 steps may be late at most."""
_MOST_LOAD = 2.0


@dataclass(frozen=True)
class Plan:
    """How much is measured; times in seconds."""

    sizes: Sequence[int]
    due: int
    swept: int
    messages: int


FULL = Plan(sizes=(10_000, 100_000, 1_000_000), due=20, swept=58, messages=30_000)
QUICK = Plan(sizes=(10_000, 1_000_000), due=5, swept=5, messages=10_000)


@dataclass(frozen=True)
class Outcome:
    """What one run of the benchmark found."""

    runs: Sequence[Run]
    started_per_second: float
    machine: dict[str, str]


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and shorter runs, to try it; writes no page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure, print the tables, and write docs/bench/sla.md; unless the machine is busy with other things."""
    # aiokafka logs every broker that is just starting; what matters is raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(stderr=as_json, width=None if sys.stderr.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="relance-bench-", ignore_cleanup_errors=True) as folder:
        outcome = asyncio.run(_measured(QUICK if quick else FULL, Path(folder), console))
    made = _tables(outcome)
    for table in made:
        table.show(console)
    if as_json:
        json.dump(asdict(outcome), sys.stdout, indent=2)
        sys.stdout.write("\n")
    if quick:
        return
    if float(outcome.machine["load before"].split()[0]) > _MOST_LOAD:
        console.print("Not written: the machine was busy before, and the figures say little.")
        return
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(_document(made, outcome.machine))
    console.print(f"Written: {DOCUMENT.relative_to(ROOT)}")


async def _measured(plan: Plan, folder: Path, console: Console) -> Outcome:
    async with running_stage(folder, console.print) as stage:
        connection = await stage.server.connect("postgres")
        try:
            facts = machine(str(await connection.fetchval("SHOW server_version")))
        finally:
            await connection.close()
        runs = [await timers(stage, size, plan.due, console.print) for size in plan.sizes]
        runs += [await sweeps(stage, size, plan.swept, console.print) for size in plan.sizes]
        return Outcome(runs, await started_per_second(stage, plan.messages, console.print), facts)


def _tables(outcome: Outcome) -> list[Table]:
    columns = ["contender", "open", "fired", "p50 ms", "p99 ms", "max ms", "MiB before", "MiB at most", "load"]
    rows = [
        [
            run.contender,
            f"{run.open:,}",
            f"{run.fired:,}",
            _milliseconds(run.p50),
            _judged(run) if run.contender == OURS else _milliseconds(run.p99),
            _milliseconds(run.longest),
            _mebibytes(run.memory_before),
            _mebibytes(run.memory),
            f"{run.load:.1f}",
        ]
        for run in outcome.runs
    ]
    note = f"{PER_SECOND} steps fall due per second. Wanted: p99 of {1000 * _WANTED:g} ms at most, at every size."
    started = [["clocks per second", f"{outcome.started_per_second:,.0f}"]]
    return [
        Table("Lateness and memory", note, columns, rows),
        Table("Clocks started from the topic", "One replica; every assignment has a calendar.", ["", ""], started),
    ]


def _document(made: Sequence[Table], facts: dict[str, str]) -> str:
    machine_table = Table("Machine", "", ["", ""], [[name, value] for name, value in facts.items()])
    head = f"# SLA monitor benchmark\n\nWritten by `make bench-sla` on {utc_now():%Y-%m-%d}; all from that one run."
    return "\n\n".join([head, _METHOD, *(table.markdown() for table in made), machine_table.markdown()]) + "\n"


_METHOD = """\
Lateness is from a step's due time to the commit that records it with its outgoing event, by PostgreSQL's own commit
times. **relance** is the service's own process with settings as shipped; it also publishes the events to Kafka, and
counts its figures over all clocks every few seconds. **sweep once a minute** is the usual cron job: one statement that
fires everything due since the last one. It does less: it publishes nothing, and its events are empty. Timers that are
open are due in four hours or later. Memory is the process's resident set, before the first step is due and at most
while they fire."""


def _judged(run: Run) -> str:
    return f"{_milliseconds(run.p99)} ({'met' if run.p99 <= _WANTED else 'NOT MET'})"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.1f}"


def _mebibytes(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


if __name__ == "__main__":
    typer.run(bench)
