"""One person, one conversation: promises that the database keeps, under concurrency."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
import yaml
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.integration.events import envelope, lead, revised
from tests.integration.router_harness import TEAM, Router
from tests.system import Endpoints, routing

from relance.clock import utc_now
from relance.events import LeadReceived
from relance.ids import LeadId
from relance_local.services import ROUTER
from relance_router.answers.assignments import read_assignment
from relance_router.configuration.exported_leads import export_lines
from relance_router.domain.dispositions import Judgement
from relance_router.domain.interventions import InterventionRefused
from relance_router.domain.past_leads import PastLead
from relance_router.domain.same_person import APART, CLOSED, JOINED, OLDER
from relance_router.domain.simulation import of_the_past, simulate
from relance_router.terms.interventions import Order

PHONE = "+4930123456"
WHY = ("M", "another person")


def company(**more: Any) -> str:
    """A team of three, and leads of one person that join each other."""
    document = yaml.safe_load(routing(Endpoints(), {"sales": TEAM, "more": ["dan"]}))
    return yaml.safe_dump({**document, "same_person": {"within": "7d"}, **more})


@pytest.fixture
async def router(open_database: OpenDatabase) -> Router:
    """A router that recognises people."""
    made = Router(open_database(ROUTER))
    await made.apply(company())
    return made


async def joined(router: Router, given: LeadReceived) -> LeadId | None:
    """Which lead this one has joined."""
    (row,) = await router.rows("SELECT joined FROM leads WHERE id = :id", id=given.lead_id)
    return LeadId(row["joined"]) if row["joined"] else None


async def told(router: Router) -> list[tuple[str, str]]:
    """Who hears of what, in this order."""
    rows = await router.rows("SELECT type, endpoint FROM notifications WHERE state = 'pending' ORDER BY sequence")
    return [(row["type"], row["endpoint"]) for row in rows]


async def events(router: Router, type_: str) -> list[dict[str, Any]]:
    """The data of what is told of one type."""
    rows = await router.rows("SELECT payload FROM outbox WHERE type = :type ORDER BY id", type=type_)
    return [json.loads(row["payload"]) for row in rows]


async def test_a_person_who_comes_again_is_told_to_the_owner_and_gets_no_other(router: Router) -> None:
    """By the phone number alone, from another address."""
    (first,) = await router.route([lead(phone=PHONE)])
    again = lead(email="other@example.com", phone=PHONE, source="phone")
    for _ in range(2):
        await router.route([again])
    owner = await router.owner(first.lead_id)
    assert await joined(router, again) == first.lead_id
    rep = f"rep:{owner['rep']}"
    assert await told(router) == [("lead.assigned", rep), ("lead.touched", rep)]
    (event,) = await events(router, "relance.lead.joined.v1")
    names = ("lead_id", "joined", "source", "recognised_by")
    assert [event[name] for name in names] == [str(again.lead_id), str(first.lead_id), "phone", ["phone"]]
    conversation = await router.explanations.conversation(again.lead_id)
    assert conversation.joining == {
        "recognised_by": ["phone"],
        "considered": [{"lead_id": str(first.lead_id), "because": JOINED}],
    }
    async with router.database.transaction() as connection:
        assert [touch.lead_id for touch in (await read_assignment(connection, owner["id"])).touches] == [again.lead_id]
    await router.books()


async def test_leads_of_one_person_in_one_batch_are_one_conversation(router: Router) -> None:
    """The first one is assigned, and its owner hears of the others behind it."""
    leads = await router.route([lead(), lead(phone=PHONE), lead(email=None, phone=PHONE), lead(email="b@example.com")])
    assert [await joined(router, each) for each in leads] == [None, leads[0].lead_id, leads[0].lead_id, None]
    rep = f"rep:{(await router.owner(leads[0].lead_id))['rep']}"
    assert [each for each in await told(router) if each[1] == rep] == [
        ("lead.assigned", rep),
        ("lead.touched", rep),
        ("lead.touched", rep),
    ]
    await router.books()


async def test_a_lead_that_is_over_is_joined_no_more(router: Router) -> None:
    """Rejected: a new lead. Of two that are open the newer one is joined, and both are accounted for."""
    (first,) = await router.route([lead()])
    (second,) = await router.route([lead(email=None, phone=PHONE)])
    owner = await router.owner(first.lead_id)
    (both,) = await router.route([lead(phone=PHONE)])
    assert await joined(router, both) == second.lead_id
    conversation = await router.explanations.conversation(both.lead_id)
    assert conversation.joining is not None
    assert [each["because"] for each in conversation.joining["considered"]] == [OLDER, JOINED]

    await router.recorder.record(owner["id"], "contacted", None)
    await router.recorder.dispose(owner["id"], Judgement("rejected", "no_budget"))
    other = await router.owner(second.lead_id)
    await router.recorder.record(other["id"], "contacted", None)
    await router.recorder.dispose(other["id"], Judgement("rejected", "no_budget"))
    (third,) = await router.route([lead()])
    assert await joined(router, third) is None
    (fourth,) = await router.route([lead()])
    conversation = await router.explanations.conversation(fourth.lead_id)
    assert conversation.joining is not None
    assert [each["because"] for each in conversation.joining["considered"]] == [CLOSED, CLOSED, JOINED]
    await router.books()


async def test_leads_of_a_source_that_stands_alone_neither_join_nor_are_joined(router: Router) -> None:
    """In one batch and later; each says so, and whoever joins another hears why it was not that one."""
    await router.apply(company(same_person={"within": "7d", "except_sources": ["support"]}))
    first, support = await router.route([lead(), lead(source="support")])
    (again,) = await router.route([lead(source="support")])
    (touch,) = await router.route([lead()])
    assert [await joined(router, each) for each in (support, again, touch)] == [None, None, first.lead_id]
    (decision,) = await router.explanations.of_lead(again.lead_id)
    assert (
        "Leads of source support join no other of the same person, and none joins them." in decision.explanation.words
    )
    conversation = await router.explanations.conversation(touch.lead_id)
    assert conversation.joining is not None
    assert [each["because"] for each in conversation.joining["considered"]] == [JOINED, APART, APART]
    await router.books()


async def test_a_conversation_of_which_nothing_was_heard_for_long_is_over(router: Router) -> None:
    """A touch keeps it going."""
    (first,) = await router.route([lead()])
    await router.execute("UPDATE leads SET routed_at = now() - interval '6 days'")
    (second,) = await router.route([lead()])
    assert await joined(router, second) == first.lead_id
    await router.execute("UPDATE leads SET routed_at = routed_at - interval '6 days'")
    (third,) = await router.route([lead()])
    assert await joined(router, third) == first.lead_id
    await router.execute("UPDATE leads SET routed_at = now() - interval '8 days'")
    (fourth,) = await router.route([lead()])
    assert await joined(router, fourth) is None
    await router.books()


async def test_a_touch_of_an_unrouted_lead_waits_with_it_and_goes_where_it_goes(router: Router) -> None:
    """Nobody tries to route the touch; whoever gets the lead is told of both."""
    await router.people.pause("dan", because="off", by="a test")
    (first,) = await router.leads(1, "more")
    (again,) = await router.route([lead(team="sales")])
    assert await joined(router, again) == first.lead_id
    await router.people.resume("dan", by="a test")
    router.unrouted.is_free(["more"])
    await router.unrouted.retry()
    assert (await router.owner(first.lead_id))["rep"] == "dan"
    assert await router.rows("SELECT 1 FROM unrouted") == []
    await router.books()


async def test_whoever_gets_a_lead_that_was_declined_gets_its_touches_too(router: Router) -> None:
    """What the former owner was still to hear is cancelled."""
    (first,) = await router.route([lead()])
    (again,) = await router.route([lead()])
    former = await router.owner(first.lead_id)
    await router.recorder.record(former["id"], "declined", None)
    owner = await router.owner(first.lead_id)
    assert await told(router) == [("lead.assigned", f"rep:{owner['rep']}")]
    async with router.database.transaction() as connection:
        assert [each.lead_id for each in (await read_assignment(connection, owner["id"])).touches] == [again.lead_id]
    await router.books()


async def test_a_touch_is_separated_and_routed_like_any_other_lead(router: Router) -> None:
    """With a reason, on record; its former owner is told of it no more, and it cannot be separated twice."""
    (first,) = await router.route([lead()])
    (again,) = await router.route([lead(team="more")])
    with pytest.raises(InterventionRefused, match=f"touch of lead {first.lead_id}"):
        await router.reassignment.reassign(Order(again.lead_id, *WHY), "anna")
    with pytest.raises(InterventionRefused, match=f"touch of lead {first.lead_id}"):
        await router.by_hand.hold(Order(again.lead_id, *WHY), None)
    separated = await router.separation.separate(Order(again.lead_id, *WHY))
    assert separated.joined == first.lead_id
    assert (await router.owner(again.lead_id))["rep"] == "dan"
    assert "lead.touched" not in {type_ for type_, _ in await told(router)}
    (event,) = await events(router, "relance.lead.separated.v1")
    assert [event[name] for name in ("lead_id", "joined", "by")] == [str(again.lead_id), str(first.lead_id), "M"]
    (done,) = await router.explanations.interventions(again.lead_id)
    assert (done.what, done.by, done.reason, done.details) == ("separated", *WHY, {"joined": str(first.lead_id)})
    with pytest.raises(InterventionRefused, match="nothing to separate"):
        await router.separation.separate(Order(again.lead_id, *WHY))
    await router.books()


async def test_a_separated_touch_that_nobody_can_take_stands_unrouted(router: Router) -> None:
    """Visibly, as any lead."""
    await router.route([lead()])
    (again,) = await router.route([lead(team="more")])
    await router.people.pause("dan", because="off", by="a test")
    await router.separation.separate(Order(again.lead_id, *WHY))
    assert [row["lead_id"] for row in await router.rows("SELECT lead_id FROM unrouted")] == [again.lead_id]
    await router.books()


async def test_a_revision_never_joins_or_separates(router: Router) -> None:
    """What is known of a touch is told to the owner of its lead; what was two leads stays two."""
    (first,) = await router.route([lead()])
    (again,) = await router.route([lead()])
    (other,) = await router.route([lead(email="b@example.com")])
    stranger: dict[str, Any] = {"contact": {"phone": "+4940123"}, "person_keys": ["pseudonym-of-+4940123"]}
    same: dict[str, Any] = {
        "contact": {"email": "maria@example.com"},
        "person_keys": ["pseudonym-of-maria@example.com"],
    }
    await router.consume([envelope(revised(again, **stranger)), envelope(revised(other, **same))])
    assert [await joined(router, each) for each in (first, again, other)] == [None, first.lead_id, None]
    assert sorted(type_ for type_, _ in await told(router)) == [
        *["lead.assigned"] * 2, "lead.touched", *["lead.updated"] * 2
    ]  # fmt: skip
    await router.books()


async def test_two_replicas_with_leads_of_one_person_at_once_give_it_one_owner(
    router: Router, open_database: OpenDatabase
) -> None:
    """Other addresses, so two partitions; one phone number. Without the locks on people both would be owned."""
    second = Router(open_database(ROUTER))
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    one, two = lead(email="a@example.com", phone=PHONE), lead(email="b@example.com", phone=PHONE)
    await router.route([lead(email="somebody@example.com")])  # so that the team's line is there
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks, router.database.transaction() as connection:
        await connection.execute(text("SELECT FROM teams FOR UPDATE"))
        for waiters, (replica, each) in enumerate(((router, one), (second, two)), start=1):
            tasks.create_task(replica.route([each]))
            while len(await router.rows(waiting)) < waiters:
                pass
    assert await joined(router, two) == one.lead_id
    assert (
        len(await router.rows("SELECT 1 FROM assignments WHERE lead_id = ANY(:ids)", ids=[one.lead_id, two.lead_id]))
        == 1
    )
    await router.books()


async def test_a_rehearsal_of_what_runs_joins_what_has_joined(router: Router) -> None:
    """A touch is answered as its lead was, should it be routed; of a lead of before its person's keys are not known."""
    now = utc_now()
    came = [lead(phone=PHONE), lead(email=None, phone=PHONE), lead(email="b@example.com"), lead(email=None), lead()]
    came[-1] = came[-1].model_copy(update={"person_keys": ()})
    leads = await router.route([each.model_copy(update={"received_at": now}) for each in came])
    first, touch, other, nobody, old = leads
    owner = await router.owner(first.lead_id)
    await router.recorder.record(owner["id"], "contacted", None)
    await router.recorder.dispose(owner["id"], Judgement("rejected", "no_budget"))
    (again,) = await router.route([lead().model_copy(update={"received_at": now + timedelta(hours=1)})])
    lines = "".join([piece async for piece in export_lines(router.database, 7)]).splitlines()
    past = {LeadId(each.lead_id): each for each in map(PastLead.model_validate_json, lines)}
    assert list(past) == [each.lead_id for each in (*leads, again)]
    assert {lead_id: each.joined for lead_id, each in past.items() if each.joined} == {touch.lead_id: first.lead_id}
    assert (past[touch.lead_id].rep, past[touch.lead_id].declines) == (None, 0)
    assert past[touch.lead_id].first_response_seconds == past[first.lead_id].in_hand_seconds
    assert [past[each.lead_id].person_keys for each in (first, nobody, old)] == [first.person_keys, (), None]
    assert past[first.lead_id].over_seconds is not None
    assert past[other.lead_id].over_seconds is None
    async with router.database.transaction() as connection:
        configuration = (await router.versions.running(connection)).configuration
    report = simulate(configuration, [of_the_past(each) for each in past.values()], seed=0)
    assert (report.joined_to, report.keys_unknown) == ((None, 0, None, None, None, None), 1)


async def test_nobody_is_recognised_where_it_is_not_asked_for(router: Router) -> None:
    """And nothing is kept to do so."""
    await router.apply(company(same_person=None))
    leads = await router.route([lead(), lead()])
    assert [await joined(router, each) for each in leads] == [None, None]
    assert await router.rows("SELECT 1 FROM leads WHERE person_keys IS NOT NULL") == []
    await router.books()
