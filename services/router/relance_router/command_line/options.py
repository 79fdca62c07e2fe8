"""Options that commands share."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[str, typer.Option(envvar="RELANCE_URL", help="Where the router is.")]
Token = Annotated[
    str,
    typer.Option(envvar="RELANCE_OPERATOR_TOKEN", help="The operators' token.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document, for programs.")]
File = Annotated[Path, typer.Argument(help="routing.yaml", show_default=False)]
Comment = Annotated[str, typer.Option(help="Why, for the history.")]
Expected = Annotated[
    int | None,
    typer.Option(
        "--expect", min=0, help="Refuse when another version than this one runs (0: none).", show_default=False
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user may have no name


By = Annotated[
    str,
    typer.Option(
        envvar="RELANCE_OPERATOR", default_factory=_user, help="Who answers for it, for the history; you, if not given."
    ),
]

DEFAULT_URL = "http://localhost:8081"
