"""`relance reassign`, `separate`, `extend`, `hold` and `release`: what managers do to a lead by hand."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from pydantic import BaseModel
from rich.text import Text

from relance.events.assignment import ClockName
from relance.operator_options import AsJson, By, Token
from relance_router.command_line.options import DEFAULT_URL, Url
from relance_router.command_line.output import Failed, Status, console, failures_told, tell
from relance_router.command_line.router import Router
from relance_router.terms.documents import ReassignedView, SeparatedView, TermsView

Lead = Annotated[
    UUID, typer.Argument(metavar="LEAD_ID", help="The id that the lead's source was answered with.", show_default=False)
]
Because = Annotated[str, typer.Option(help="Why: it stands in the record, and the rep is told.", show_default=False)]


def reassign(
    lead: Lead,
    *,
    because: Because,
    token: Token,
    by: By,
    to: Annotated[str | None, typer.Option(help="The rep who gets it; none: whoever is next.")] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Give a lead to another rep; also one that stands unrouted, to a named rep."""
    with failures_told(as_json):
        done = Router(url, token).reassign(lead, to, by=by, reason=because)
    _told(done, _reassigned(done), as_json=as_json)


def separate(
    lead: Lead, *, because: Because, token: Token, by: By, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Make a lead of its own of one that joined another: another person, or another matter."""
    with failures_told(as_json):
        done = Router(url, token).separate(lead, by=by, reason=because)
    _told(done, f"{_separated(done)} It had joined lead {done.joined}.", as_json=as_json)


def extend(
    lead: Lead,
    by_how_long: Annotated[str, typer.Argument(metavar="DURATION", help="Such as 30m or 1h30m.", show_default=False)],
    *,
    because: Because,
    token: Token,
    by: By,
    clock: Annotated[ClockName, typer.Option(help="What there is more time for.")] = "response",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Give a rep more time for a lead, before the deadline has passed."""
    with failures_told(as_json):
        terms = Router(url, token).extend(lead, clock, by_how_long, by=by, reason=because)
    _told(terms, f"{terms.rep} has {by_how_long} more: {_deadlines(terms)}.", as_json=as_json)


def hold(
    lead: Lead,
    *,
    because: Because,
    token: Token,
    by: By,
    until: Annotated[
        str | None,
        typer.Option(help="When it ends by itself, such as 2026-12-01T09:00+01:00; none: when it is released."),
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Let a lead's clocks stand still."""
    with failures_told(as_json):
        terms = Router(url, token).hold(lead, _moment(until) if until else None, by=by, reason=because)
    ends = f"until {_utc(terms.hold_until)}" if terms.hold_until else f"until `relance release {lead}`"
    _told(terms, f"The lead is on hold {ends}.", as_json=as_json)


def release(
    lead: Lead, *, because: Because, token: Token, by: By, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Let a lead's clocks run again."""
    with failures_told(as_json):
        terms = Router(url, token).release(lead, by=by, reason=because)
    _told(terms, f"The clocks run again for {terms.rep}: {_deadlines(terms)}.", as_json=as_json)


def _moment(written: str) -> datetime:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError as error:
        raise Failed(Status.NOT_ASKED, f"{written!r} is no time: write it such as 2026-12-01T09:00+01:00.") from error
    # By the clock on the wall here, when no zone is given.
    return moment if moment.tzinfo else moment.astimezone()


def _reassigned(done: ReassignedView) -> str:
    if done.rep is None:
        return f"The lead is offered to {', '.join(done.offered_to)} of team {done.team}."
    former = f", and no longer {done.former}" if done.former else ""
    return f"{done.rep} of team {done.team} has the lead now{former}."


def _separated(done: SeparatedView) -> str:
    if done.rep:
        return f"{done.rep} of team {done.team} has the lead now."
    if done.offered_to:
        return f"The lead is offered to {', '.join(done.offered_to)} of team {done.team}."
    return f"The lead waits: {done.unrouted}."


def _deadlines(terms: TermsView) -> str:
    known = {"answer": terms.respond_by, "contact": terms.contact_by, "disposition": terms.disposition_by}
    return ", ".join(f"{what} by {_utc(due)}" for what, due in known.items() if due) or "no deadline is known"


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _told(document: BaseModel, sentence: str, *, as_json: bool) -> None:
    if as_json:
        tell(document.model_dump(mode="json"))
    else:
        console.print(Text(sentence))
