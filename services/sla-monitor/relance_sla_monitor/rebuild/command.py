"""`relance-sla-monitor rebuild`."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from relance import faults, logs
from relance.command_line import load_settings
from relance.database import Database
from relance.kafka.history import History
from relance_sla_monitor.rebuild.rebuilding import Outcome, Plan, Rebuilding, RebuildRefused
from relance_sla_monitor.settings import SlaMonitorSettings

_PATIENCE = timedelta(hours=1)
"""One statement puts all clocks in their place."""
_CHANGED_NOTHING = "Nothing was changed."

console = Console(highlight=False, soft_wrap=True)
errors = Console(highlight=False, soft_wrap=True, stderr=True)


def rebuild_command(schema: str, group: str) -> Callable[..., None]:
    """The command, for the service's schema and consumer group."""

    def rebuild(
        *,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        partial: Annotated[bool, typer.Option("--partial", help="Go on where Kafka has lost messages.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
    ) -> None:
        """Compute every clock and scorecard anew from the Kafka topics, while the service is stopped.

        What there is now stays until all of it is done, and is replaced at once; interrupt it and start it again at
        will. Nobody is told anything, and what has fired does not fire again. Spend is kept.
        """
        settings = load_settings(SlaMonitorSettings)
        logs.configure(group, "error")
        if as_json and not yes:
            errors.print("--json cannot ask: add --yes.", style="red")
            raise typer.Exit(2)
        try:
            outcome = asyncio.run(_rebuild(settings, schema, group, partial=partial, ask=not yes))
        except RebuildRefused as refusal:
            _fail(str(refusal), 1, as_json=as_json)
        except Exception as error:
            if not faults.is_transient(error):
                raise
            where = "Kafka" if isinstance(error, KafkaError) else "PostgreSQL or Kafka"
            _fail(f"{where} cannot be reached: {error!r}. {_CHANGED_NOTHING} Run it again.", 2, as_json=as_json)
        else:
            if outcome is None:
                _fail(_CHANGED_NOTHING, 1, as_json=as_json)
            elif as_json:
                typer.echo(json.dumps(asdict(outcome), indent=2))
            else:
                _tell(outcome)

    return rebuild


async def _rebuild(
    settings: SlaMonitorSettings, schema: str, group: str, *, partial: bool, ask: bool
) -> Outcome | None:
    database = Database(settings.database_url, schema=schema, pool_size=1, timeout=_PATIENCE)
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=errors
    )
    of_topic: dict[str, TaskID] = {}

    def agreed(plan: Plan) -> bool:
        if ask and not _asked(plan):
            return False
        for topic, messages in plan.messages.items():
            of_topic[topic] = bars.add_task(topic, total=messages)
        bars.start()
        return True

    try:
        async with History.of(settings, group) as history, database.engine.connect() as connection:
            rebuilding = Rebuilding(settings, database, history, group)
            return await rebuilding.run(
                connection,
                partial=partial,
                agreed=agreed,
                progress=lambda topic, count: bars.advance(of_topic[topic], count),
            )
    finally:
        bars.stop()
        await database.close()


def _asked(plan: Plan) -> bool:
    read = ", ".join(f"{messages} of {topic}" for topic, messages in plan.messages.items())
    lost = ", ".join(f"{messages} of {topic}" for topic, messages in plan.missing.items())
    console.print(f"Messages to read: {read}." + (f" Lost: {lost}." if lost else ""))
    console.print(f"To be replaced by what they tell: {plan.rows['clocks']} clocks, {plan.rows['steps']} fired steps.")
    return typer.confirm("Go on?")


def _tell(outcome: Outcome) -> None:
    table = Table("table", "before", "now")
    for name, rows in outcome.rows.items():
        table.add_row(name, str(outcome.rows_before[name]), str(rows))
    console.print(table)
    if outcome.refused:
        console.print(f"{outcome.refused} messages could not be handled:", *outcome.refusals, sep="\n", markup=False)
    for topic, count in outcome.missing.items():
        console.print(f"{count} messages of {topic} are lost: what they told is missing.")
    if outcome.stray_steps:
        console.print(f"{outcome.stray_steps} steps had fired of clocks that no message tells of; they were left out.")
    if not outcome.offsets_stored:
        console.print("Kafka did not take the offsets: the service will be given messages again, and drops them.")
    console.print("Done. Start the service: it goes on where it was.")


def _fail(sentence: str, status: int, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"error": sentence}, indent=2))
    else:
        errors.print(sentence, style="red")
    raise typer.Exit(status)
