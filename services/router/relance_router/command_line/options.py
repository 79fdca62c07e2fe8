"""Options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[str, typer.Option(envvar="RELANCE_URL", help="Where the router is.")]
File = Annotated[Path, typer.Argument(help="routing.yaml", show_default=False)]
Comment = Annotated[str, typer.Option(help="Why, for the history.")]
Expected = Annotated[
    int | None,
    typer.Option(
        "--expect", min=0, help="Refuse when another version than this one runs (0: none).", show_default=False
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

DEFAULT_URL = "http://localhost:8081"
