"""Promises of what becomes one conversation, against a slow oracle."""

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.integration.events import NOW, lead

from relance.events import LeadReceived
from relance.ids import LeadId
from relance_router.domain.configuration import SamePerson
from relance_router.domain.same_person import JOINED, Conversation, join

WITHIN = timedelta(days=7)
ASKED = SamePerson(within=WITHIN, except_sources=("support",))
NAMES = st.sampled_from(["a", "b", "c"])
PEOPLE = st.tuples(st.none() | NAMES, st.none() | NAMES, st.sampled_from(["website", "Support"]))
Person = tuple[str | None, str | None, str]


@dataclass
class Known:
    """One lead as the oracle knows it."""

    lead: LeadReceived
    days_ago: int
    open: bool
    joined: LeadId | None = None


def coming(person: Person) -> LeadReceived:
    """A lead of somebody."""
    email, phone, source = person
    return lead(email=email and f"{email}@example.com", phone=phone and f"+{phone}", source=source)


KNOWN = st.lists(st.builds(Known, PEOPLE.map(coming), st.integers(0, 14), st.booleans()), max_size=4)


def conversation_of(known: list[Known], root: Known) -> list[Known]:
    """A lead that is no touch, and its touches."""
    return [each for each in known if each is root or each.joined == root.lead.lead_id]


def oracle(known: list[Known], newcomers: list[LeadReceived]) -> dict[LeadId, LeadId]:
    """Looks at everybody, for each lead."""
    known, found = list(known), {}
    for newcomer in newcomers:
        candidates = []
        for place, root in enumerate(known):
            members = conversation_of(known, root)
            same = any(set(each.lead.person_keys) & set(newcomer.person_keys) for each in members)
            recent = min(each.days_ago for each in members) <= WITHIN.days
            alone = "Support" in {root.lead.source, newcomer.source}
            if root.joined is None and root.open and same and recent and not alone:
                candidates.append((-root.days_ago, root.lead.lead_id, place))
        joined = known[max(candidates)[2]].lead.lead_id if candidates else None
        known.append(Known(newcomer, 0, open=True, joined=joined))
        if joined:
            found[newcomer.lead_id] = joined
    return found


def conversations(known: list[Known]) -> list[Conversation]:
    """As the database gives them."""
    return [
        Conversation(
            root.lead.lead_id,
            frozenset(key for each in conversation_of(known, root) for key in each.lead.person_keys),
            NOW - timedelta(days=root.days_ago),
            NOW - timedelta(days=min(each.days_ago for each in conversation_of(known, root))),
            root.lead.source,
            open=root.open,
        )
        for root in known
        if root.joined is None
    ]


@given(known=KNOWN, people=st.lists(PEOPLE, max_size=6))
def test_whoever_shares_a_key_joins_the_newest_open_conversation(known: list[Known], people: list[Person]) -> None:
    """Also one that began in the same batch, but none of a source that stands alone; and no touch is joined."""
    newcomers = [coming(person) for person in people]
    joinings = join(newcomers, conversations(known), NOW, ASKED)
    assert {touch: joining.joined for touch, joining in joinings.items()} == oracle(known, newcomers)
    assert not joinings.keys() & {joining.joined for joining in joinings.values()}


@given(known=KNOWN, person=PEOPLE)
def test_it_is_said_by_what_the_person_was_recognised_and_what_else_was_considered(
    known: list[Known], person: Person
) -> None:
    """At least one of address and number; every conversation that shares one, of which one was joined."""
    newcomer = coming(person)
    met = conversations(known)
    for joining in join([newcomer], met, NOW, ASKED).values():
        kinds = {"email": newcomer.contact.email, "phone": newcomer.contact.phone}
        (joined,) = (each for each in met if each.lead == joining.joined)
        assert set(joining.recognised_by) == {
            kind for kind, value in kinds.items() if value and f"pseudonym-of-{value}" in joined.keys
        }
        assert {each.lead for each in joining.considered} == {
            each.lead for each in met if each.keys & set(newcomer.person_keys)
        }
        assert [each.lead for each in joining.considered if each.because == JOINED] == [joining.joined]
