"""`relance check`: what is wrong with a file, without asking anybody."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from relance.operator_options import AsJson
from relance_router.command_line.options import File
from relance_router.command_line.output import Failed, Status, console, errors, failures_told, tell
from relance_router.configuration.routing_file import LineFault
from relance_router.configuration.routing_file import check as check_text
from relance_router.domain.configuration import Configuration, in_words


def check(file: File, as_json: AsJson = False) -> None:
    """Find every fault of a routing file, with its line and reason. Asks no router. Exit status 1: it has some."""
    with failures_told(as_json):
        configuration, warnings = checked(file, read(file))
    if as_json:
        found = [asdict(warning) for warning in warnings]
        tell({"file": str(file), "faults": [], "warnings": found, "holds": _counts(configuration)})
        return
    warn(file, warnings)
    table = Table("rule", "goes to", "answered within", title=Text(f"{file}: right"))
    for rule in configuration.rules:
        teams = rule.team or ", ".join(f"{arm.team} {arm.share:.0%}" for arm in rule.split)
        table.add_row(rule.id, teams, in_words(rule.respond_within))
    table.add_section()
    table.add_row("all others", configuration.fallback.team, in_words(configuration.fallback.respond_within))
    console.print(table)
    counts = _counts(configuration).items()
    console.print(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts))


def read(file: Path) -> str:
    """The file's text.

    Raises:
        Failed: it cannot be read.
    """
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(Status.NOT_ASKED, f"{file} cannot be read: {error}.") from error


def checked(file: Path, content: str) -> tuple[Configuration, list[LineFault]]:
    """The configuration, and what is allowed in it and hardly meant.

    Raises:
        Failed: with every fault.
    """
    found = check_text(content, str(file))
    if found.configuration is None:
        count = "one fault" if len(found.errors) == 1 else f"{len(found.errors)} faults"
        raise Failed(Status.NO, f"{file} has {count}: mend what is named.", found.errors, str(file))
    return found.configuration, list(found.found)


def warn(file: Path, warnings: Sequence[LineFault]) -> None:
    """Print warnings."""
    for warning in warnings:
        errors.print(Text(f"{file}:{warning.line}: {warning.reason}", "yellow"))


def _counts(configuration: Configuration) -> dict[str, int]:
    sections = ("rules", "teams", "reps", "escalation_policies")
    return {name: len(getattr(configuration, name)) for name in sections}
