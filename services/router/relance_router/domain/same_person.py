"""One person, one conversation: a lead joins the newest open lead of the same person, as a touch of it.

People are recognised by their keys, pseudonyms of e-mail address and phone number. What one touch tells of the person
holds for the whole conversation: whoever came by an address, then by address and number, is known by the number too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from relance.events import LeadReceived
from relance.events.person import Recognised
from relance.ids import LeadId
from relance_router.domain.configuration import SamePerson


@dataclass(frozen=True)
class Conversation:
    """A lead that is no touch, with its touches; times in UTC."""

    lead: LeadId
    keys: frozenset[str]
    """Of the lead and of all its touches."""
    began_at: datetime
    heard_at: datetime
    """When it came in, or its newest touch."""
    source: str
    """Of the lead."""
    open: bool
    """Whether it still waits for somebody, or its owner has not said that it was rejected, won or lost."""


@dataclass(frozen=True)
class Considered:
    """A conversation of the same person, and why the touch is or is not part of it."""

    lead: LeadId
    because: str


@dataclass(frozen=True)
class Joining:
    """A lead is a touch of another one."""

    joined: LeadId
    recognised_by: tuple[Recognised, ...]
    considered: tuple[Considered, ...]


JOINED = "it is the newest that is open"
CLOSED = "it is closed: rejected, won or lost"
TOO_OLD = "nothing was heard of it for too long"
OLDER = "another that is open is newer"
APART = "its source stands alone"


def join(
    newcomers: Sequence[LeadReceived], met: Iterable[Conversation], now: datetime, asked: SamePerson
) -> dict[LeadId, Joining]:
    """Which of the leads that come in now, in this order, are touches; `met` are conversations that share a key.

    The others begin conversations, which those behind them may join.
    """
    conversations = {each.lead: each for each in met}
    by_key: dict[str, set[LeadId]] = {}
    for each in conversations.values():
        _index(by_key, each)
    joinings: dict[LeadId, Joining] = {}
    for lead in newcomers:
        keys = frozenset(lead.person_keys)
        same = [conversations[each] for each in {each for key in keys for each in by_key.get(key, ())}]
        eligible = [each for each in same if _ineligible(each, now, asked) is None]
        if eligible and not asked.stands_alone(lead.source):
            chosen = max(eligible, key=_age)
            joinings[lead.lead_id] = Joining(
                chosen.lead,
                recognised_by(lead, chosen.keys),
                tuple(
                    Considered(each.lead, _ineligible(each, now, asked) or (JOINED if each is chosen else OLDER))
                    for each in sorted(same, key=_age)
                ),
            )
            conversation = replace(chosen, keys=chosen.keys | keys, heard_at=now)
        else:
            conversation = Conversation(lead.lead_id, keys, now, now, lead.source, open=True)
        conversations[conversation.lead] = conversation
        _index(by_key, conversation)
    return joinings


def recognised_by(lead: LeadReceived, keys: frozenset[str]) -> tuple[Recognised, ...]:
    """Which of what is known of a lead's person is among these keys."""
    kinds: list[Recognised] = ["email"] if lead.contact.email else []
    kinds += ["phone"] if lead.contact.phone else []
    return tuple(kind for kind, key in zip(kinds, lead.person_keys, strict=False) if key in keys)


def _index(by_key: dict[str, set[LeadId]], conversation: Conversation) -> None:
    for key in conversation.keys:
        by_key.setdefault(key, set()).add(conversation.lead)


def _age(conversation: Conversation) -> tuple[datetime, LeadId]:
    return conversation.began_at, conversation.lead


def _ineligible(conversation: Conversation, now: datetime, asked: SamePerson) -> str | None:
    """Why nobody joins it; None: somebody may."""
    if asked.stands_alone(conversation.source):
        return APART
    if not conversation.open:
        return CLOSED
    return TOO_OLD if conversation.heard_at < now - asked.within else None
