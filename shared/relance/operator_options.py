"""Options of command lines that ask an operators' API."""

import getpass
from typing import Annotated

import typer

Token = Annotated[str, typer.Option(envvar="RELANCE_OPERATOR_TOKEN", help="The operators' token.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document, for programs.")]


def _user() -> str:
    """Who types."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user may have no name


By = Annotated[
    str, typer.Option(envvar="RELANCE_OPERATOR", default_factory=_user, help="Who answers for it; you, if not given.")
]
