"""`relance reps`, `pause` and `resume`: who can take leads now, and who is to take none."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from relance.operator_options import AsJson, By, Token
from relance_router.command_line.options import DEFAULT_URL, Url
from relance_router.command_line.output import console, failures_told, tell
from relance_router.command_line.router import Router
from relance_router.routing.documents import RepView

Rep = Annotated[str, typer.Argument(help="The rep's id; `relance reps` lists them.", show_default=False)]
Because = Annotated[str, typer.Option(help="Why: the rep and the managers are told.", show_default=False)]


def reps(token: Token, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the reps: who can take leads now, and why the others cannot."""
    with failures_told(as_json):
        found = Router(url, token).reps()
    if as_json:
        tell([each.model_dump(mode="json") for each in found])
        return
    table = Table("rep", "teams", "open leads", "now")
    for each in found:
        now = Text("takes leads", "green") if each.available else Text(each.absence or "", "yellow")
        table.add_row(Text(each.rep), ", ".join(each.teams), str(each.open_leads), now)
    console.print(table)


def pause(rep: Rep, *, because: Because, token: Token, by: By, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Give a rep no more leads until resumed; what they have in hand stays theirs."""
    with failures_told(as_json):
        paused = Router(url, token).pause(rep, because, by)
    _told(paused, f"{rep} is paused: {paused.paused}. `relance resume {rep}` ends it.", as_json=as_json)


def resume(rep: Rep, *, token: Token, by: By, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Give a rep leads again, first those that waited."""
    with failures_told(as_json):
        resumed = Router(url, token).resume(rep, by)
    now = "takes leads again" if resumed.available else f"is not paused, but takes no leads: {resumed.absence}"
    _told(resumed, f"{rep} {now}.", as_json=as_json)


def _told(rep: RepView, sentence: str, *, as_json: bool) -> None:
    if as_json:
        tell(rep.model_dump(mode="json"))
    else:
        console.print(Text(sentence))
