"""`relance explain`: why a lead went where it went."""

from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from relance.operator_options import AsJson, Token
from relance_router.command_line.options import DEFAULT_URL, Url
from relance_router.command_line.output import console, failures_told, tell
from relance_router.command_line.router import Router
from relance_router.routing.documents import CandidateView, DecisionView, JoiningView, TouchView


def explain(
    lead: Annotated[UUID, typer.Argument(metavar="LEAD_ID", help="The id that the lead's source was answered with.")],
    token: Token,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Say why a lead went where it went: each rule tried, each rep passed over; every decision is made again."""
    with failures_told(as_json):
        found = Router(url, token).explanation(lead)
    if as_json:
        tell(found.model_dump(mode="json"))
        return
    if found.joined:
        console.print(Text(f"It joined lead {found.joined.lead_id}, and nobody else has it: {_known(found.joined)}."))
        for each in found.joined.considered:
            console.print(Text(f"  - lead {each.lead_id} of the same person: {each.because}"))
    for number, decision in enumerate(found.decisions, 1):
        _show(number, decision)
    for touch in found.touches:
        console.print(Text(f"Lead {touch.lead_id} joined it: {_known(touch)}."))
    for done in found.interventions:
        console.print(Text(f"{done.at:%Y-%m-%d %H:%M} UTC, by hand: {done.what} by {done.by}: {done.reason}"))


def _known(touch: JoiningView | TouchView) -> str:
    what = {"email": "e-mail address", "phone": "phone number"}
    return f"the same person, by {' and '.join(what[each] for each in touch.recognised_by)}"


def _show(number: int, decision: DecisionView) -> None:
    title = f"Decision {number}: {decision.decision.outcome}, now {decision.state}"
    console.print(Text(title, "bold"))
    for word in decision.words:
        console.print(Text(f"  - {word}"))
    if decision.candidates:
        console.print(_table(decision.candidates))
    if decision.same_when_made_again:
        console.print("Made again from what was stored, it is the same.\n")
    elif decision.decision.by == "claim" or decision.decision.outcome == "offered":
        console.print("Made again from what was stored, it is the offer; who claims it is nobody's decision.\n")
    else:
        console.print("[red]Made again from what was stored, it is another.[/] Please report this.\n")


def _table(candidates: list[CandidateView]) -> Table:
    table = Table("team", "rep", "weight", "owed", "why")
    for each in candidates:
        owed = "" if each.owed is None else f"{each.owed:+.2f}"
        cells = (each.team, each.rep, str(each.weight), owed, each.reason)
        table.add_row(*(Text(cell) for cell in cells), style="green" if each.chosen else "")
    return table
