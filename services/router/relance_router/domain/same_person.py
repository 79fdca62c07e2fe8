"""One person, one conversation: a lead joins the newest open lead of the same person, as a touch of it.

People are recognised by their keys, pseudonyms of e-mail address and phone number. What one touch tells of the person
holds for the whole conversation: whoever came by an address, then by address and number, is known by the number too.
"""

from collections import defaultdict
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
    conversations = Conversations(asked, met)
    joinings: dict[LeadId, Joining] = {}
    for lead in newcomers:
        keys = frozenset(lead.person_keys)
        same = conversations.of(keys)
        chosen = conversations.receive(lead.lead_id, lead.source, keys, now)
        if chosen:
            joinings[lead.lead_id] = Joining(
                chosen.lead,
                recognised_by(lead, chosen.keys),
                tuple(
                    Considered(each.lead, _ineligible(each, now, asked) or (JOINED if each is chosen else OLDER))
                    for each in same
                ),
            )
    return joinings


class Conversations:
    """Conversations by the keys of their people: whoever comes in joins one, or begins one."""

    def __init__(self, asked: SamePerson, met: Iterable[Conversation] = ()) -> None:
        self._asked = asked
        self._all: dict[LeadId, Conversation] = {}
        self._by_key: defaultdict[str, set[LeadId]] = defaultdict(set)
        for each in met:
            self._keep(each)

    def of(self, keys: frozenset[str]) -> list[Conversation]:
        """Those that share a key, the oldest first."""
        leads = {lead for key in keys for lead in self._by_key.get(key, ())}
        return sorted((self._all[lead] for lead in leads), key=_age)

    def receive(self, lead: LeadId, source: str, keys: frozenset[str], now: datetime) -> Conversation | None:
        """Take in a lead; returns the conversation that it joins, as that was before. None: it begins one."""
        may_be_joined = [each for each in self.of(keys) if _ineligible(each, now, self._asked) is None]
        if not may_be_joined or self._asked.stands_alone(source):
            self._keep(Conversation(lead, keys, now, now, source, open=True))
            return None
        chosen = may_be_joined[-1]
        self._keep(replace(chosen, keys=chosen.keys | keys, heard_at=now))
        return chosen

    def close(self, lead: LeadId) -> None:
        """A conversation is over: its lead was rejected, won or lost."""
        self._all[lead] = replace(self._all[lead], open=False)

    def _keep(self, conversation: Conversation) -> None:
        self._all[conversation.lead] = conversation
        for key in conversation.keys:
            self._by_key[key].add(conversation.lead)


def recognised_by(lead: LeadReceived, keys: frozenset[str]) -> tuple[Recognised, ...]:
    """Which of what is known of a lead's person is among these keys."""
    kinds: list[Recognised] = ["email"] if lead.contact.email else []
    kinds += ["phone"] if lead.contact.phone else []
    return tuple(kind for kind, key in zip(kinds, lead.person_keys, strict=False) if key in keys)


def _age(conversation: Conversation) -> tuple[datetime, LeadId]:
    return conversation.began_at, conversation.lead


def _ineligible(conversation: Conversation, now: datetime, asked: SamePerson) -> str | None:
    """Why nobody joins it; None: somebody may."""
    if asked.stands_alone(conversation.source):
        return APART
    if not conversation.open:
        return CLOSED
    return TOO_OLD if conversation.heard_at < now - asked.within else None
