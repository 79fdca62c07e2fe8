"""`relance apply` and `rollback`: another version is to run, on every replica from the same message on."""

import sys
from typing import Annotated

import typer

from relance.operator_options import AsJson, By, Token
from relance_router.command_line.checking import checked, read, warn
from relance_router.command_line.options import DEFAULT_URL, Comment, Expected, File, Url, Yes
from relance_router.command_line.output import (
    Failed,
    Status,
    console,
    difference,
    failures_told,
    show_difference,
    tell,
)
from relance_router.command_line.router import Router
from relance_router.configuration.documents import Version, VersionWithContent


def apply(
    file: File,
    *,
    token: Token,
    by: By,
    url: Url = DEFAULT_URL,
    comment: Comment = "",
    expect: Expected = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Check a routing file, show what it changes, ask, and run it on every replica from the same message on.

    `relance plan FILE` says before what it would have done to the leads of the last days.
    """
    with failures_told(as_json):
        content = read(file)
        _, warnings = checked(file, content)
        warn(file, warnings)
        router = Router(url, token)
        running = router.running()
        number = running.version if running else 0
        if running and running.content == content:
            _done(running, number, as_json=as_json)
            return
        _confirm(running, content, str(file), asking=not yes, as_json=as_json)
        applied = router.apply(content, number if expect is None else expect, by, comment)
        _done(applied, number, as_json=as_json)


def rollback(
    version: Annotated[
        int | None, typer.Argument(min=1, help="The one before the one that runs, if not given.", show_default=False)
    ] = None,
    *,
    token: Token,
    by: By,
    url: Url = DEFAULT_URL,
    comment: Comment = "",
    expect: Expected = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Run an older version's content again, as a new version."""
    with failures_told(as_json):
        router = Router(url, token)
        running = router.running()
        to = version or (running and _before(router, running.version))
        if running is None or not to:
            raise Failed(Status.NO, "There is nothing to roll back to: no other version was applied before.")
        older = router.version(to)
        if older.content == running.content:
            _done(running, running.version, as_json=as_json)
            return
        _confirm(running, older.content, f"version {to}", asking=not yes, as_json=as_json)
        expected = running.version if expect is None else expect
        _done(router.roll_back(to, expected, by, comment), running.version, as_json=as_json)


def _before(router: Router, version: int) -> int | None:
    versions = router.history(1, before=version).versions
    return versions[0].version if versions else None


def _confirm(running: VersionWithContent | None, content: str, name: str, *, asking: bool, as_json: bool) -> None:
    """Show the difference, and ask."""
    if not as_json:
        before = running.content if running else ""
        show_difference(difference(before, content, names=(f"version {running.version if running else 0}", name)))
    if not asking:
        return
    if as_json or not sys.stdin.isatty():
        raise Failed(Status.NOT_ASKED, "Nobody can be asked here: look with `relance diff`, then give --yes.")
    if not typer.confirm("Apply this?"):
        raise Failed(Status.NO, "Nothing was applied.")


def _done(version: Version, before: int, *, as_json: bool) -> None:
    if as_json:
        document = version.model_dump(mode="json", include=set(Version.model_fields))
        tell({"applied": version.version != before, **document})
    elif version.version == before:
        console.print(f"Nothing to apply: version {before} is the same, and runs.")
    else:
        console.print(f"[green]Version {version.version} runs[/] on every replica.")
