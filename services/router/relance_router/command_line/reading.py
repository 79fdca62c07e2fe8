"""`relance history`, `show` and `diff`: what runs, what ran, and how a file differs from it."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from relance.operator_options import AsJson, Token
from relance_router.command_line.checking import read
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
from relance_router.command_line.router import Router
from relance_router.configuration.documents import Version


def history(
    token: Token,
    url: Url = DEFAULT_URL,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Versions at most.")] = 20,
    before: Annotated[int | None, typer.Option(min=1, help="Only versions below this one.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List the versions that were applied, the one that runs first."""
    with failures_told(as_json):
        page = Router(url, token).history(limit, before)
    if as_json:
        tell(page.model_dump(mode="json"))
        return
    table = Table("version", "applied at (UTC)", "by", "comment")
    for version in page.versions:
        cells = (str(version.version), f"{version.applied_at:%Y-%m-%d %H:%M:%S}", version.applied_by, why(version))
        table.add_row(*(Text(cell) for cell in cells))  # as text: brackets are no markup
    console.print(table)
    if page.before:
        errors.print(f"Older ones: relance history --before {page.before}")


def show(
    token: Token,
    version: Annotated[int | None, typer.Argument(min=1, help="The one that runs, if not given.")] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Print a version's routing.yaml."""
    with failures_told(as_json):
        router = Router(url, token)
        found = router.version(version) if version else router.running()
        if found is None:
            raise Failed(Status.NO, "Nothing was applied yet: do so with `relance apply FILE`.")
    if as_json:
        tell(found.model_dump(mode="json"))
        return
    errors.print(f"# {described(found)}", style="dim", markup=False)
    typer.echo(found.content, nl=not found.content.endswith("\n"))


def diff(file: File, token: Token, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show how a file differs from the version that runs. Exit status 0 either way."""
    with failures_told(as_json):
        content = read(file)
        running = Router(url, token).running()
    number = running.version if running else 0
    lines = difference(running.content if running else "", content, names=(f"version {number}", str(file)))
    if as_json:
        tell({"running": number, "diff": lines})
    elif lines:
        show_difference(lines)
    else:
        console.print(f"{file} is what runs: version {number}.", markup=False)


def why(version: Version) -> str:
    """The comment, and whether it was a rollback."""
    rolled_back = f"back to {version.rolled_back_to}" if version.rolled_back_to else ""
    return ": ".join(filter(None, (rolled_back, version.comment)))


def described(version: Version) -> str:
    """A version in a line."""
    words = f"version {version.version}, applied by {version.applied_by}, {version.applied_at:%Y-%m-%d %H:%M:%S} UTC"
    return ": ".join(filter(None, (words, why(version))))
