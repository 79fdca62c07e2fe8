"""`relance-ingest person`: what operators type when a person asks for their data, or to be forgotten."""

import json
import os
import time
from itertools import chain
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from relance.http.exports import MOST_LEADS
from relance.operator_options import AsJson, By, Token
from relance_ingest.operated import DEFAULT_URL, Operated, Url, console, fail, tell

_LOOK_EVERY = 0.5
Email = Annotated[str | None, typer.Option(help="The person's e-mail address.", show_default=False)]
Phone = Annotated[
    str | None, typer.Option(help="The person's phone number, with its country code.", show_default=False)
]

person_commands = typer.Typer(help="A person: erase or export all that is held of them.", no_args_is_help=True)


@person_commands.command("erase")
def erase(
    *,
    token: Token,
    by: By,
    url: Url = DEFAULT_URL,
    email: Email = None,
    phone: Phone = None,
    reason: Annotated[
        str | None, typer.Option("--because", help="Kept with the erasure: name nobody.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds for every service's proof.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Erase a person's leads in every service, for good. Exit status 1: not proven complete yet."""
    ingest, person = Operated(url, token), _person(email, phone)
    if not yes:
        leads = len(_held(ingest, person))
        if not typer.confirm(f"Leads to be erased for good, in every service: {leads}. Go on?", err=True):
            fail("Nothing was erased.", 1)
    given = {**person, "by": by, **({"reason": reason} if reason else {})}
    erasure = ingest.ask("POST", "/v1/erasures", body=given)
    until = time.monotonic() + wait
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True)
    ) as progress:
        task = progress.add_task("", total=None)
        while not erasure["complete"] and time.monotonic() < until:
            progress.update(task, description=f"Waiting for {', '.join(erasure['waiting_for'])}")
            time.sleep(_LOOK_EVERY)
            erasure = ingest.ask("GET", f"/v1/erasures/{erasure['erasure_id']}")
    _show(erasure, as_json=as_json)


@person_commands.command("status")
def status(erasure: UUID, *, token: Token, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show how far an erasure is. Exit status 1: not complete."""
    _show(Operated(url, token).ask("GET", f"/v1/erasures/{erasure}"), as_json=as_json)


@person_commands.command("export")
def export(
    *,
    token: Token,
    url: Url = DEFAULT_URL,
    router_url: Annotated[
        str, typer.Option(envvar="RELANCE_ROUTER_URL", help="Where the router is.")
    ] = "http://localhost:8081",
    sla_monitor_url: Annotated[
        str, typer.Option(envvar="RELANCE_SLA_MONITOR_URL", help="Where the SLA monitor is.")
    ] = "http://localhost:8082",
    email: Email = None,
    phone: Phone = None,
    to: Annotated[
        Path | None, typer.Option(help="A new file that only you may read; without it, it is printed.")
    ] = None,
) -> None:
    """Write all that every service holds of a person as one JSON document, or nothing when one cannot be asked."""
    leads = _held(Operated(url, token), _person(email, phone))
    ids = [lead["lead_id"] for lead in leads]
    router = Operated(router_url, token, "The router", "--router-url or RELANCE_ROUTER_URL")
    monitor = Operated(sla_monitor_url, token, "The SLA monitor", "--sla-monitor-url or RELANCE_SLA_MONITOR_URL")
    chunks = [ids[start : start + MOST_LEADS] for start in range(0, len(ids), MOST_LEADS)]

    def held_by(service: Operated) -> list[dict[str, Any]]:
        found = (service.ask("POST", "/v1/exports", body={"lead_ids": chunk})["leads"] for chunk in chunks)
        return list(chain.from_iterable(found))

    document = {"ingest": leads, "router": held_by(router), "sla-monitor": held_by(monitor)}
    if to is None:
        tell(document)
        return
    try:
        with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
    except OSError as error:
        fail(f"{to} cannot be written: {error.strerror}.", 2)
    console.print(f"Leads written to {to}: {len(leads)}")


def _person(email: str | None, phone: str | None) -> dict[str, str]:
    person = {name: value for name, value in (("email", email), ("phone", phone)) if value}
    if not person:
        fail("Say who: --email, --phone, or both.", 2)
    return person


def _held(ingest: Operated, person: dict[str, str]) -> list[dict[str, Any]]:
    """Every lead of the person that ingest holds."""
    page = ingest.ask("POST", "/v1/exports", body=person)
    leads: list[dict[str, Any]] = page["leads"]
    while page["next"]:
        page = ingest.ask("POST", "/v1/exports", body={**person, "after": page["next"]})
        leads += page["leads"]
    return leads


def _show(erasure: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        tell(erasure)
    else:
        state = "complete" if erasure["complete"] else f"waiting for {', '.join(erasure['waiting_for'])}"
        console.print(f"Erasure {erasure['erasure_id']}: {state}. Leads: {len(erasure['lead_ids'])}")
        for done in erasure["done"]:
            rows = ", ".join(f"{table} {count}" for table, count in done["rows"].items())
            console.print(f"    {done['service']}: {rows} ({done['erased_at'][:19]} UTC)")
        console.print(
            f"    Kafka may hold messages until {erasure['messages_until'][:19]} UTC, and what could not be handled "
            f"until {erasure['dead_letters_until'][:19]} UTC"
        )
    if not erasure["complete"]:
        raise typer.Exit(1)
