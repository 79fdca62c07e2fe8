"""`relance-ingest quarantine`: what operators type to judge suspected leads. Thin over the operators' API.

It asks the API and not the database, so that it works from wherever the service is reached, needs no password of the
database, and passes the same checks: whatever it does is counted, noted with who did it, and published at once.
Exit status: 0 done; 1 the answer is no; 2 it could not be asked (service not reached, token refused).
"""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import typer
from rich.text import Text

from relance.operator_options import AsJson, By, Token
from relance_ingest.domain.suspicion import Suspicion
from relance_ingest.operated import DEFAULT_URL, Operated, Url, console, fail, tell
from relance_ingest.spam.quarantine import State

Lead = Annotated[
    UUID | None,
    typer.Argument(help="One lead. Without it: those that wait and match, 1000 at once.", show_default=False),
]
OfSource = Annotated[str | None, typer.Option("--source", help="Of this source only.", show_default=False)]
Suspected = Annotated[
    Suspicion | None, typer.Option("--suspected", help="Suspected for this reason only.", show_default=False)
]
Everything = Annotated[bool, typer.Option("--all", help="All that wait.")]


quarantine_commands = typer.Typer(help="Suspected leads: look, release, discard.", no_args_is_help=True)


@quarantine_commands.command("list")
def list_leads(
    *,
    token: Token,
    url: Url = DEFAULT_URL,
    source: OfSource = None,
    suspected: Suspected = None,
    state: Annotated[State, typer.Option(help="Where they stand.")] = State.WAITING,
    limit: Annotated[int, typer.Option(min=1, max=500, help="So many at most, the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show suspected leads, newest first, with the person: somebody must judge it."""
    query = {"source": source, "reason": suspected, "state": state.value, "limit": str(limit)}
    given = {name: each for name, each in query.items() if each}
    found = Operated(url, token).ask("GET", "/v1/quarantine", query=given)
    if as_json:
        tell(found)
        return
    for lead in found["leads"]:
        contact = lead["contact"]
        person = ", ".join(contact[name] for name in ("name", "company", "email", "phone") if contact.get(name))
        console.print(Text(f"{lead['lead_id']}  {lead['received_at'][:19]}  {lead['source']}  {person}", "bold"))
        for reason in lead["reasons"]:
            console.print(Text(f"    {reason['words']} ({reason['reason']})"))
    if not found["leads"]:
        console.print("None.")


@quarantine_commands.command("release")
def release(
    lead: Lead = None,
    *,
    token: Token,
    by: By,
    url: Url = DEFAULT_URL,
    reason: Annotated[str | None, typer.Option("--because", help="Why.", show_default=False)] = None,
    source: OfSource = None,
    suspected: Suspected = None,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Route a lead after all, or all that wait of a source or a reason."""
    body = {"by": by} | ({"reason": reason} if reason else {})
    which = lead or _which(source, suspected, everything=everything)
    _decide("release", which, body, Operated(url, token), as_json=as_json)


@quarantine_commands.command("discard")
def discard(
    lead: Lead = None,
    *,
    token: Token,
    by: By,
    reason: Annotated[str, typer.Option("--because", help="Why.", show_default=False)],
    url: Url = DEFAULT_URL,
    source: OfSource = None,
    suspected: Suspected = None,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Mark a lead as spam for good, or all that wait of a source or a reason. `release` takes it back."""
    which = lead or _which(source, suspected, everything=everything)
    _decide("discard", which, {"by": by, "reason": reason}, Operated(url, token), as_json=as_json)


def _which(source: str | None, suspected: Suspicion | None, *, everything: bool) -> Mapping[str, str]:
    if not (source or suspected or everything):
        fail("Say which lead, or --source or --suspected, or --all that wait.", 2)
    return {name: each for name, each in (("source", source), ("reason", suspected)) if each}


def _decide(
    verb: str, which: UUID | Mapping[str, str], body: Mapping[str, object], ingest: Operated, *, as_json: bool
) -> None:
    if isinstance(which, UUID):
        done = ingest.ask("POST", f"/v1/quarantine/{which}/{verb}", body=body)
        count, more = 1, False
    else:
        done = ingest.ask("POST", f"/v1/quarantine/{verb}", body={**body, "which": which})
        count, more = len(done["lead_ids"]), done["more"]
    if as_json:
        tell(done)
    else:
        console.print(f"{verb.removesuffix('e')}ed: {count}" + (". There are more: ask again." if more else ""))
