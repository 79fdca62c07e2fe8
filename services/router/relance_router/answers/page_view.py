"""What the answer page shows of an assignment: which buttons, and what happens next."""

from dataclasses import dataclass
from urllib.parse import quote

from relance.events import LeadReceived
from relance_router.answers.api import WORDS, Word
from relance_router.answers.assignments import OnHold, SeenAssignment
from relance_router.domain.answers import AssignmentState
from relance_router.domain.reasons import REASONS
from relance_router.domain.time_left import time_left


@dataclass(frozen=True)
class Choice:
    """A button. One with a `confirm` opens first, asks for the reasons or says that it is final, and then confirms."""

    word: Word
    label: str
    confirm: str = ""
    question: str = ""
    needs_reason: bool = False

    @property
    def reasons(self) -> tuple[tuple[str, str], ...]:
        """What may be given as reason, each with its words."""
        return tuple((reason, in_words(reason)) for reason in REASONS.get(WORDS[self.word], ()))


_HAVE = Choice("acknowledge", "I have it")
_CLAIM = Choice("acknowledge", "I take it")
_REACHED = Choice("contacted", "I reached them")
_NOT_MINE = Choice("decline", "Not mine", "Pass it on", "Why is it not yours?", needs_reason=True)
_ACCEPT = Choice("accepted", "Accept: worth working on")
_REJECT = Choice("rejected", "Reject", "Reject this lead", "Why is it not worth working on?", needs_reason=True)
_WON = Choice("won", "Won", "Yes, we won them", "This is final.")
_LOST = Choice("lost", "Lost", "Yes, we lost them", "This is final. Why, if you know?")
CHOICES = {choice.word: choice for choice in (_HAVE, _REACHED, _NOT_MINE, _ACCEPT, _REJECT, _WON, _LOST)}

_NEXT = {
    "acknowledged": (
        "You have it. The clock has stopped.",
        "Get in touch now, then come back and press “I reached them”.",
    ),
    "contacted": (
        "You have reached them.",
        "Now say whether it is worth working on, so that marketing brings more of what is.",
    ),
    "accepted": ("You have accepted this lead.", "Once the deal is decided, come back and say whether you won it."),
    "rejected": ("You have rejected this lead{why}.", "Marketing learns why. If you were wrong, accept it below."),
    "won": ("Won. Congratulations!", "There is nothing more to do here."),
    "lost": ("Lost{why}.", "Thank you for saying so. There is nothing more to do here."),
}
"""By what was said last: a title, and what happens next."""


def choices(seen: SeenAssignment) -> tuple[Choice, ...]:
    """What the rep may say next, the likeliest first. Each of them would be recorded."""
    reached = seen.state is AssignmentState.CONTACTED
    match seen.disposition:
        case "won" | "lost":
            return ()
        case "rejected":
            return (_ACCEPT,)
        case "accepted":
            return (_WON, _LOST, _REJECT) if reached else (_REACHED, _WON, _LOST, _REJECT)
    if reached:
        return (_ACCEPT, _REJECT)
    if seen.state is AssignmentState.OFFERED:
        return (_CLAIM, _NOT_MINE)
    return (_HAVE, _REACHED, _NOT_MINE) if seen.state is AssignmentState.OPEN else (_REACHED, _REJECT, _NOT_MINE)


def whats_next(seen: SeenAssignment) -> tuple[str, str] | None:
    """Where it stands, and what happens next; None while nothing has been said."""
    if seen.judgement is None:
        return _NEXT.get(seen.state)
    why = f" ({in_words(seen.judgement.reason).lower()})" if seen.judgement.reason else ""
    title, sentence = _NEXT[seen.judgement.disposition]
    return title.format(why=why), sentence


def shown(seen: SeenAssignment, preselected: str | None) -> dict[str, object]:
    """The values of the template. `preselected` is the word that the link came with."""
    offered = choices(seen)
    chosen = next((choice for choice in offered if choice.word == preselected), None)
    waiting = seen.state in {AssignmentState.OPEN, AssignmentState.OFFERED}
    return {
        "lead": seen.lead,
        "mailto": quote(seen.lead.contact.email or "", safe="@+"),
        "recording": _recording(seen.lead),
        "touches": seen.touches,
        "why": seen.why,
        "clock": time_left(seen.respond_by, seen.now) if waiting and seen.respond_by and not seen.on_hold else None,
        "seconds_left": int((seen.respond_by - seen.now).total_seconds()) if seen.respond_by else None,
        "on_hold": _on_hold(seen.on_hold) if waiting and seen.on_hold else None,
        "next": whats_next(seen),
        "choices": (chosen,) if chosen else offered,
        "chosen": chosen,
    }


def _on_hold(hold: OnHold) -> tuple[str, str]:
    """A title, and a sentence."""
    until = f"until {hold.until:%Y-%m-%d %H:%M} UTC" if hold.until else "for now"
    return f"On hold {until}.", f"{hold.by}: {hold.reason}. No clock runs; you may answer all the same."


def in_words(name: str) -> str:
    """`no_budget` as people write it."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _recording(lead: LeadReceived) -> str | None:
    """Only what a browser fetches: the address comes from outside and is not to run anything."""
    url = lead.call.recording_url if lead.call else None
    return url if url and url.startswith(("https://", "http://")) else None
