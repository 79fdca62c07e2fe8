"""What commands print: for people, or one JSON document for programs."""

import difflib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import IntEnum

import typer
from rich.console import Console
from rich.text import Text

from relance_router.configuration.routing_file import LineFault

console = Console(highlight=False, soft_wrap=True)
errors = Console(highlight=False, soft_wrap=True, stderr=True)


class Status(IntEnum):
    """Exit statuses beside 0."""

    NO = 1
    """The answer is no."""
    NOT_ASKED = 2
    """Wrong usage, or the router could not be asked."""


class Failed(Exception):
    """Ends the command: what is wrong, and what to do."""

    def __init__(
        self, status: Status, sentence: str, faults: Sequence[LineFault] = (), file: str = "configuration"
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.faults = faults
        self.file = file


@contextmanager
def failures_told(as_json: bool) -> Iterator[None]:
    """Tell a failure, and exit with its status."""
    try:
        yield
    except Failed as failure:
        if as_json:
            tell({"error": failure.sentence, "faults": [asdict(fault) for fault in failure.faults]})
        else:
            for fault in failure.faults:
                console.print(Text(f"{failure.file}:{fault.line}: {fault.reason}"))
            errors.print(Text(failure.sentence, "red"))
        raise typer.Exit(failure.status) from failure


def tell(document: object) -> None:
    """Print a JSON document."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def difference(before: str, after: str, *, names: tuple[str, str]) -> list[str]:
    """The lines of a unified diff; none when there is no difference."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")
    return list(lines)


_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_difference(lines: Sequence[str]) -> None:
    """Print a diff in colours."""
    for line in lines:
        console.print(Text(line, _STYLES.get(line[:1], "")))
