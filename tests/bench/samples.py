"""What `sampled` found, as tables."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def show(console: Console, file: Path, leads: int, top: int) -> float:
    """Print the `top` functions that cost most, in µs of processor time per lead; returns garbage collection's."""
    samples: dict[str, Any] = json.loads(file.read_text())
    # A sample stands for as much processor time as the kernel let pass between two.
    each = samples["seconds"] / max(1, sum(samples["own"].values())) / leads * 1e6
    console.print(_table("In the function itself", samples["own"], each, top))
    ours = {name: count for name, count in samples["within"].items() if "relance" in name}
    console.print(_table("In our functions, with all they call", ours, each, top))
    return float(samples["collecting"] / leads * 1e6)


def _table(title: str, samples: Mapping[str, int], each: float, top: int) -> Table:
    table = Table(title=title)
    table.add_column("function", overflow="fold")
    table.add_column("µs per lead", justify="right")
    for name, count in sorted(samples.items(), key=lambda item: -item[1])[:top]:
        table.add_row(name, f"{count * each:.1f}")
    return table
