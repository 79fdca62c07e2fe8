"""The demo itself: everything started, watched, and proven."""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from relance_local.conditions import NotInTime, wait_until
from relance_local.database_server import DatabaseServer
from relance_local.demo.books import Books, Line, read_books, read_lines
from relance_local.demo.people import People
from relance_local.demo.reps import Reps
from relance_local.demo.scenario import REPS, WINDOW_SECONDS, write_routing, write_sources
from relance_local.demo.web_forms import WebForms
from relance_local.services import INGEST, NAMES, Configuration, Services
from relance_local.stack import running_parts, running_services
from relance_router.deliveries.endpoints import signing_secret

_REFRESH_SECONDS = 0.5
_SETTLE_LIMIT = timedelta(seconds=60)
_WEBHOOK_SECRET = "the demo signs its webhooks with this"  # noqa: S105 - guards nothing: lives as long as the demo


@dataclass(frozen=True)
class Summary:
    """What the demo proves."""

    books: Books
    posted: int
    repeated: int
    refused: int
    told_twice: int
    deliveries_repeated: int
    forged: int
    answers: dict[str, int]
    answered_too_late: int
    notifications: dict[str, int]
    post_to_webhook_p50: float
    post_to_webhook_p99: float
    seconds: float

    @property
    def proven(self) -> bool:
        """The system's books balance, and agree with what web forms and reps have seen."""
        return (
            self.books.balanced
            and self.books.accepted - self.books.by_hand == self.posted
            and not self.refused
            and not self.told_twice
            and not self.forged
            and not self.books.undelivered
        )


async def show_demo(folder: Path, *, seconds: int, per_second: float, seed: int, as_json: bool) -> bool:
    """Run the demo; returns whether the books were proven."""
    console = Console(stderr=as_json)
    async with AsyncExitStack() as stack:
        with console.status("Starting") as status:
            tell = status.update
            server, broker = await stack.enter_async_context(running_parts(folder, tell))
            reps = Reps(_secret_of, seed)
            await reps.start()
            stack.push_async_callback(reps.stop)
            write_sources(folder / "sources.yaml")
            write_routing(folder / "routing.yaml", reps.url)
            configuration = Configuration(
                folder / "routing.yaml",
                folder / "sources.yaml",
                webhook_secret=_WEBHOOK_SECRET,
                environment={"WEBHOOK_ALLOWED_HOSTS": '["127.0.0.1"]', "DEMO_PAGE": "true"},
            )
            services = await stack.enter_async_context(running_services(folder, (server, broker), configuration, tell))
            stack.push_async_callback(reps.fall_silent)
            connection = await server.connect("relance", role="reporting")
            stack.push_async_callback(connection.close)
        forms = WebForms(services.url("ingest"), People(seed))
        started = time.monotonic()
        addresses = _addresses(services, server)
        await _watch(console, addresses, connection, forms, reps, seconds=seconds, per_second=per_second)
        summary = await _summary(connection, forms, reps, time.monotonic() - started)
    if as_json:
        json.dump(_plain(summary), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        console.print(_summary_table(summary))
    return summary.proven


async def _watch(
    console: Console,
    addresses: Text,
    connection: asyncpg.Connection,
    forms: WebForms,
    reps: Reps,
    *,
    seconds: int,
    per_second: float,
) -> None:
    """Let it run, showing figures, until every lead has found its end or the limit is over."""
    started = time.monotonic()
    traffic = asyncio.create_task(forms.send(seconds=seconds, per_second=per_second))

    async def quiet() -> bool:
        live.update(Group(_table(await read_lines(connection), forms, reps), addresses, _progress(started, seconds)))
        if not traffic.done():
            await asyncio.sleep(_REFRESH_SECONDS)
            return False
        await traffic
        books = await read_books(connection)
        return books.balanced and books.accepted - books.by_hand == len(forms.posted_at) and not books.undelivered

    with Live(console=console, refresh_per_second=4) as live:
        try:
            await wait_until(quiet, what="every lead to be settled", limit=timedelta(seconds=seconds) + _SETTLE_LIMIT)
            # The last leads' windows run out too: their breaches and escalations belong to the figures.
            end = time.monotonic() + 2.5 * WINDOW_SECONDS
            while time.monotonic() < end or not await quiet():
                await quiet()
                await asyncio.sleep(_REFRESH_SECONDS)
                if time.monotonic() > end + _SETTLE_LIMIT.total_seconds():
                    break
        except NotInTime as error:
            console.print(f"[red]{error}[/]")
        finally:
            traffic.cancel()
            await asyncio.gather(traffic, return_exceptions=True)


async def _summary(connection: asyncpg.Connection, forms: WebForms, reps: Reps, seconds: float) -> Summary:
    latencies = sorted(
        reps.first_notified_at[lead] - posted_at
        for lead, posted_at in forms.posted_at.items()
        if lead in reps.first_notified_at
    )
    cuts = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [float("nan")] * 99
    return Summary(
        books=await read_books(connection),
        posted=len(forms.posted_at),
        repeated=forms.repeated,
        refused=len(forms.refused),
        told_twice=sum(1 for ids in reps.notifications_of.values() if len(ids) > 1),
        deliveries_repeated=reps.repeats,
        forged=reps.forged,
        answers=dict(reps.answers),
        answered_too_late=reps.too_late,
        notifications=dict(reps.by_type),
        post_to_webhook_p50=cuts[49],
        post_to_webhook_p99=cuts[98],
        seconds=seconds,
    )


def _table(lines: Sequence[Line], forms: WebForms, reps: Reps) -> Table:
    table = Table(
        title=f"Response window {WINDOW_SECONDS} s · posted {len(forms.posted_at)} · sent again {forms.repeated} · "
        f"webhooks {sum(reps.by_type.values())} · answers {sum(reps.answers.values())}"
    )
    table.add_column("team")
    table.add_column("source")
    names = ("leads", "assigned", "answered", "at_risk", "breached", "escalated")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for line in lines:
        table.add_row(line.team, line.source, *(str(getattr(line, name)) for name in names))
    table.add_section()
    table.add_row("all", "", *(str(sum(getattr(line, name) for line in lines)) for name in names), style="bold")
    return table


def _addresses(services: Services, server: DatabaseServer) -> Text:
    lines = [f"{name:12} {services.url(name)}/docs · /metrics · /readyz" for name in NAMES]
    lines.append(f"{'a form':12} {services.url(INGEST)}/demo")
    lines.append(f"{'board':12} {services.board_link()}")
    lines.append(f"{'reporting':12} {server.url('reporting', 'relance', 'postgresql')}")
    habits = ", ".join(f"{rep.id} {rep.habit}" for rep in REPS)
    return Text("\n".join([*lines, f"{'reps':12} {habits}", "Ctrl-C stops every process that was started."]), "dim")


def _progress(started: float, seconds: int) -> Text:
    left = seconds - (time.monotonic() - started)
    return Text(f"Web forms send for another {left:.0f} s." if left > 0 else "Web forms are done; windows run out.")


def _summary_table(summary: Summary) -> Table:
    books = summary.books
    table = Table(title="The books", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "accepted": books.accepted,
        "= with one owner": books.owned,
        "+ unrouted, with reason": books.unrouted,
        "+ quarantined as spam, with reason": books.quarantined,
        "+ joined to an open lead of the same person": books.joined,
        "lost": books.lost,
        "with two owners": books.with_two_owners,
        "accepted as web forms were told": summary.posted,
        "accepted from the demo page": books.by_hand,
        "sent again, and not made twice": summary.repeated,
        "refused": summary.refused,
        "assignments": books.assignments,
        "told twice of one assignment": summary.told_twice,
        "deliveries repeated, and dropped by webhook-id": summary.deliveries_repeated,
        "webhooks with a wrong signature": summary.forged,
        **{f"webhooks {name}": count for name, count in sorted(summary.notifications.items())},
        **{f"answers {name}": count for name, count in sorted(summary.answers.items())},
        "answers after the lead had gone to somebody else": summary.answered_too_late,
        "POST to webhook, p50": f"{summary.post_to_webhook_p50 * 1000:.0f} ms",
        "POST to webhook, p99": f"{summary.post_to_webhook_p99 * 1000:.0f} ms",
        "ran for": f"{summary.seconds:.0f} s",
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    verdict = "[green]proven[/]" if summary.proven else "[red]NOT PROVEN[/]"
    table.add_section()
    table.add_row("accepted = assigned + unrouted + quarantined + joined, nothing lost, nothing twice", verdict)
    return table


def _plain(summary: Summary) -> dict[str, object]:
    return {**summary.__dict__, "books": summary.books.as_dict(), "proven": summary.proven}


def _secret_of(endpoint: str) -> str:
    # What `relance-router secret` prints: the demo is an operator who knows the master key.
    return signing_secret(_WEBHOOK_SECRET, endpoint)
