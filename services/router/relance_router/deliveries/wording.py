"""What a notification says to a person; each format lays it out in its own way."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from relance.events import LeadReceived
from relance_router.answers.links import AnswerLinks
from relance_router.deliveries.notifications import Claimed

LONGEST_TITLE = 150
LONGEST_LABEL = 100
LONGEST_VALUE = 500
LONGEST_FACTS = 3000
"""Characters of all facts: what people submit must not burst a chat tool's message (Teams takes 28 kB)."""

Fact = tuple[str, str | datetime]
"""A label and its value; a time is laid out in the reader's zone where the format can."""


@dataclass(frozen=True)
class Button:
    """A link to the answer page, with this answer chosen there already; opening it changes nothing."""

    label: str
    url: str


@dataclass(frozen=True)
class Wording:
    """Plain text, nothing escaped."""

    title: str
    sentence: str
    facts: tuple[Fact, ...]
    buttons: tuple[Button, ...]


_WORDS = {
    "lead.assigned": ("New lead for {rep}", "It is yours: answer it in time."),
    "lead.reminder": ("Reminder: a lead waits for {rep}", "It is not answered yet."),
    "lead.escalated": ("{rep} has not answered a lead", "Team {team} promised an answer by now."),
    "lead.escalated passed_on": (
        "A lead was passed on: {rep} has it now",
        "Nobody has done yet what was promised for it.",
    ),
    "lead.reminder contact": ("Reminder: a lead waits for {rep}", "It is not contacted yet."),
    "lead.escalated contact": ("{rep} has not contacted a lead", "Team {team} promised contact by now."),
    "lead.reminder disposition": ("Reminder: what is a lead of {rep} worth?", "Nobody has said so yet."),
    "lead.escalated disposition": ("{rep} has not said what a lead is worth", "Team {team} promised to by now."),
    "lead.offered": ("A lead to claim in team {team}", "Whoever claims it first gets it."),
    "lead.touched": ("{rep}, your lead has come again", "The same person, so it is the same conversation: yours."),
    "lead.updated": ("More is known of a lead of {rep}", "This is all of it, as it is now."),
    "lead.taken_away": ("Your lead has gone to somebody else", "{by} has given it to somebody else."),
    "lead.taken": ("The lead is taken", "Somebody else has claimed it: there is nothing left to do."),
    "lead.changed extended": ("More time for a lead of {rep}", "There are {more} more."),
    "lead.changed held": ("A lead of {rep} is on hold", "Its clocks stand still: there is nothing to hurry for."),
    "lead.changed released": ("A lead of {rep} is on hold no longer", "Its clocks run again."),
    "rep.paused": ("{rep} is paused", "No more leads until somebody resumes it."),
    "rep.resumed": ("{rep} is back", "Leads come again."),
}
_LABELS = {
    "rep": "Rep",
    "team": "Team",
    "why": "Why",
    "respond_by": "Answer by",
    "contact_by": "Contact by",
    "disposition_by": "Say by",
    "claim_by": "Claim by",
    "since": "Theirs since",
    "hold_until": "On hold until",
}
_UNSAID = {"at", "ordinal", "occurrence", "change", "more", "touch"}
_BUTTONS = {"acknowledge": "I have it", "contacted": "I reached them", "decline": "Not mine"}
_CLAIM = {"acknowledge": "I take it"}

_TO_THE_OWNER = {"lead.assigned", "lead.updated", "lead.touched"}
_NTH = ("Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")

ANSWERS: Mapping[str, Mapping[str, str]] = {
    "lead.assigned": _BUTTONS,
    "lead.reminder": _BUTTONS,
    "lead.changed": _BUTTONS,
    "lead.updated": _BUTTONS,
    "lead.touched": _BUTTONS,
    "lead.offered": _CLAIM,
}
"""The types that can be answered: each answer as the API calls it, and its button's label."""


def tells_the_person(type_: str) -> bool:
    """Whether the message says who the lead is: only to whom it is given. Everybody else hears what names it."""
    return type_ in _TO_THE_OWNER


def wording(notification: Claimed, links: AnswerLinks) -> Wording:
    """The words of a notification; a type that is not known here is told by its name and its details."""
    details = defaultdict(lambda: "somebody", {key: str(value) for key, value in notification.details.items()})
    unknown = (notification.type.replace(".", " ").replace("_", " ").capitalize(), "")
    title, sentence = _WORDS.get(_kind(notification), unknown)
    return Wording(
        shortened(_again(notification, title.format_map(details)), LONGEST_TITLE),
        sentence.format_map(details),
        tuple(_within_bounds(_facts(notification))),
        tuple(_buttons(notification, links)),
    )


def _kind(notification: Claimed) -> str:
    """The type, with what has changed, or with the clock that the step is of when that is not the response clock."""
    if change := notification.details.get("change"):
        return f"{notification.type} {change}"
    clock = next((clock for clock in ("contact", "disposition") if f"{clock}_by" in notification.details), "")
    return f"{notification.type} {clock}".rstrip()


def _again(notification: Claimed, title: str) -> str:
    """The title, which says how often a repeated step has been told."""
    occurrence = notification.details.get("occurrence", 1)
    if not isinstance(occurrence, int) or occurrence <= 1:
        return title
    nth = _NTH[occurrence - 2] if occurrence - 2 < len(_NTH) else f"{occurrence}th"
    return f"{nth} {title[0].lower()}{title[1:]}" if title.startswith("Reminder:") else f"{nth} notice: {title}"


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _buttons(notification: Claimed, links: AnswerLinks) -> Iterator[Button]:
    if notification.assignment_id is None:
        return
    page = links.url(links.token(notification.assignment_id))
    for answer, label in ANSWERS.get(notification.type, {}).items():
        yield Button(label, f"{page}?answer={answer}")


def _facts(notification: Claimed) -> Iterator[Fact]:
    for key, value in notification.details.items():
        if key not in _UNSAID and isinstance(value, str | int | float):
            yield _LABELS.get(key) or key.replace("_", " ").capitalize(), _value(key, value)
    if lead := notification.touch or notification.lead:
        yield from _lead(notification.type, lead)
    if notification.touch and notification.lead:
        yield "Joined lead", str(notification.lead.lead_id)
    elif tells_the_person(notification.type):
        yield from (("Came again", came_again(touch)) for touch in notification.touches)


def _lead(type_: str, lead: LeadReceived) -> Iterator[Fact]:
    if tells_the_person(type_):
        contact = lead.contact
        yield from _given(
            {"Name": contact.name, "Phone": contact.phone, "E-mail": contact.email, "Company": contact.company}
        )
        yield from _given({"Country": contact.country, "Campaign": lead.campaign})
        yield from lead.fields.items()
    yield "Source", lead.source
    yield "Channel", lead.channel
    yield "Lead", str(lead.lead_id)


def came_again(touch: LeadReceived) -> str:
    """When, by what, and what was said."""
    campaign = f", campaign {touch.campaign}" if touch.campaign else ""
    said = touch.fields.get("message")
    words = f": {said}" if said else ""
    return f"{touch.received_at:%Y-%m-%d %H:%M} UTC from {touch.source} ({touch.channel}){campaign}{words}"


def _given(values: Mapping[str, str | None]) -> Iterator[Fact]:
    yield from ((label, value) for label, value in values.items() if value)


def _value(key: str, value: str | float) -> str | datetime:
    if isinstance(value, str) and (key == "since" or key.endswith(("_by", "_until"))):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return str(value)


def _within_bounds(facts: Iterator[Fact]) -> Iterator[Fact]:
    left = LONGEST_FACTS
    for label, value in facts:
        short = shortened(label, LONGEST_LABEL)
        said = value if isinstance(value, datetime) else shortened(value, LONGEST_VALUE)
        left -= len(short) + (len(said) if isinstance(said, str) else 0)
        if left < 0:
            yield "…", "There is more: open the lead."
            return
        yield short, said
