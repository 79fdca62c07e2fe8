"""The command line that every service has: `serve` and `migrate`."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import typer
import uvloop
from pydantic import ValidationError

from relance import logs
from relance.service import PartDied
from relance.settings import ServiceSettings
from relance.start_up import StartRefused

Settings = TypeVar("Settings", bound=ServiceSettings)


def load_settings(kind: type[Settings]) -> Settings:
    """Read the environment, or say which variables are wrong and exit with status 2."""
    try:
        return kind()
    except ValidationError as error:
        for fault in error.errors(include_input=False):
            name = "RELANCE_" + "_".join(str(part) for part in fault["loc"]).upper()
            typer.echo(
                f"Set the environment variable {name} rightly: {fault['msg']}. See docs/settings.md.",
                err=True,
            )
        raise typer.Exit(2) from error


def service_commands(
    name: str,
    kind: type[Settings],
    *,
    serve: Callable[[Settings], Awaitable[None]],
    migrate: Callable[[Settings], Awaitable[None]],
) -> typer.Typer:
    """`serve` runs the service until SIGTERM; `migrate` prepares its schema and its topics."""
    app = typer.Typer(help=f"Relance: {name}", no_args_is_help=True, pretty_exceptions_enable=False)

    @app.command("serve")
    def serve_command() -> None:
        """Run the service until SIGTERM or Ctrl-C."""
        settings = load_settings(kind)
        logs.configure(name, settings.log_level)
        _collect_garbage_rarely()
        try:
            uvloop.run(_until_asked_to_end(serve(settings)))
        except StartRefused as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error
        except PartDied as error:
            logs.get_logger(__name__).critical("service died", error=str(error), exc_info=error.__cause__)
            raise typer.Exit(1) from error

    @app.command("migrate")
    def migrate_command() -> None:
        """Create or upgrade the service's tables, and create the Kafka topics that are missing."""
        settings = load_settings(kind)
        logs.configure(name, settings.log_level)
        asyncio.run(_awaited(migrate(settings)))

    return app


def _collect_garbage_rarely() -> None:
    """A batch makes many objects and no cycles: at Python's own thresholds, looking for some takes a quarter of it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)


async def _until_asked_to_end(work: Awaitable[None]) -> None:
    """Ends at SIGTERM what is waited for at the start, before the service itself listens for it.

    The first process of a container does not get the signal otherwise.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("run it as a task")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with suppress(asyncio.CancelledError):
        await work


async def _awaited(work: Awaitable[None]) -> None:
    await work
