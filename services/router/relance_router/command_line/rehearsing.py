"""`relance plan` and `simulate`: what a configuration would do, before it runs."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from relance.operator_options import AsJson, Token
from relance_router.command_line.checking import checked, read, warn
from relance_router.command_line.options import DEFAULT_URL, File, Url
from relance_router.command_line.output import (
    Failed,
    Status,
    console,
    difference,
    errors,
    failures_told,
    show_difference,
    tell,
)
from relance_router.command_line.rehearsal_view import (
    NOT_REHEARSED,
    comparison_document,
    document,
    show,
    show_comparison,
)
from relance_router.command_line.router import Router
from relance_router.configuration.documents import VersionWithContent
from relance_router.configuration.routing_file import LineFault, parse
from relance_router.domain.configuration import Configuration
from relance_router.domain.past_leads import PastLead
from relance_router.domain.simulation import Report, SimulatedLead, compare, generate, of_the_past
from relance_router.domain.simulation import simulate as rehearse

Seed = Annotated[int, typer.Option(help="The same seed gives the same report.")]


def simulate(
    file: File,
    *,
    leads: Annotated[
        Path | None,
        typer.Option(help="Leads as /v1/leads/export gives them; made up, if not given.", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Leads to make up.")] = 100_000,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days over which they come in.")] = 30,
    begin: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The first of these days.", show_default="today")
    ] = None,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Route leads by a routing file, without a router: who would get how many, what would wait, how fair it is."""
    with failures_told(as_json):
        configuration, warnings = checked(file, read(file))
        if not as_json:
            warn(file, warnings)
        first = begin.date() if begin else datetime.now(UTC).date()
        chosen = _from_file(leads) if leads else _made_up(configuration, count, first, days, seed)
        report = _rehearsed(configuration, chosen, seed, "Leads routed")
    if as_json:
        made_up = None if leads else {"begin": first.isoformat(), "days": days}
        tell({"seed": seed, "made_up": made_up, **document(report, chosen), "not_rehearsed": NOT_REHEARSED})
    else:
        show(report, chosen)


def plan(
    file: File,
    token: Token,
    url: Url = DEFAULT_URL,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Rehearse with the leads of so many days.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Show what applying a file would change, and what it would have done to the leads of the last days.

    Exit status 0: it could be applied; 1: it has faults; 2: nobody could be asked. Nothing is changed.
    """
    with failures_told(as_json):
        content = read(file)
        configuration, warnings = checked(file, content)
        router = Router(url, token)
        running = router.running()
        if running is None:
            raise Failed(Status.NO, f"Nothing runs to compare with: `relance simulate {file}`, then `relance apply`.")
        lines = difference(running.content, content, names=(f"version {running.version}", str(file)))
        if not as_json:
            _show_change(file, running, warnings, lines)
        past = _exported(router, days) if lines else []
        leads = [of_the_past(each) for each in past]
        before = _rehearsed(_running(running), leads, 1, f"By version {running.version}")
        after = _rehearsed(configuration, leads, 1, f"By {file}")
    compared = compare(before, after)
    if as_json:
        tell(
            {
                "running": running.version,
                "warnings": [asdict(warning) for warning in warnings],
                "diff": lines,
                "days": days,
                **comparison_document(compared, leads),
                "before": document(before, leads),
                "after": document(after, leads),
                "not_rehearsed": NOT_REHEARSED,
            }
        )
    elif lines and leads:
        console.print(f"Had it run for the last {days} days:")
        show_comparison(compared, before, after, leads)
    elif lines:
        console.print(
            f"No lead came in within the last {days} days: `relance simulate {file}` makes some up.", markup=False
        )


def _show_change(file: Path, running: VersionWithContent, warnings: Sequence[LineFault], lines: Sequence[str]) -> None:
    warn(file, warnings)
    show_difference(lines)
    if not lines:
        console.print(f"{file} is what runs: version {running.version}.", markup=False)


def _running(running: VersionWithContent) -> Configuration:
    try:
        return parse(running.content, f"version {running.version}")
    except ValueError as error:
        raise Failed(
            Status.NO, f"This release of relance cannot read what runs, so there is nothing to compare with: {error}"
        ) from error


def _made_up(configuration: Configuration, count: int, begin: date, days: int, seed: int) -> list[SimulatedLead]:
    with _garbage_left_alone():
        return generate(configuration, count, begin=begin, days=days, random=Random(seed))  # noqa: S311 - nothing secret


def _from_file(file: Path) -> list[SimulatedLead]:
    found: list[SimulatedLead] = []
    # Not `splitlines`: a line separator of Unicode may stand inside a lead.
    for number, line in enumerate(read(file).rstrip("\n").split("\n"), 1):
        try:
            found.append(of_the_past(PastLead.model_validate_json(line)))
        except ValidationError as error:
            raise Failed(
                Status.NOT_ASKED,
                f"{file}:{number}: is no lead as /v1/leads/export gives it: {error.errors()[0]['msg']}.",
            ) from error
    return found


def _exported(router: Router, days: int) -> list[PastLead]:
    with _progress("Leads fetched", None) as done:
        fetched = 0

        def on_lead() -> None:
            nonlocal fetched
            fetched += 1
            done(fetched)

        return router.past_leads(days, on_lead)


def _rehearsed(configuration: Configuration, leads: Sequence[SimulatedLead], seed: int, title: str) -> Report:
    with _progress(title, len(leads)) as done, _garbage_left_alone():
        return rehearse(configuration, leads, seed=seed, progress=done)


@contextmanager
def _garbage_left_alone() -> Iterator[None]:
    # A rehearsal keeps most of what it makes, and makes no cycles: looking for them takes a third of the time.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, if somebody looks at it; called with how many are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)
