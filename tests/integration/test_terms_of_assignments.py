"""Promises of terms that change while leads are in hand, which the database keeps."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.integration.events import NOW
from tests.integration.events import lead as a_lead
from tests.integration.router_harness import TEAM, Router, step
from tests.system import Endpoints, routing

from relance.calendars import deadline
from relance.events import AssignmentTermsChanged, LeadReceived
from relance.ids import AssignmentId, LeadId
from relance_local.services import ROUTER
from relance_router.configuration import routing_file, versions
from relance_router.domain.answers import Recorded
from relance_router.domain.configuration import Configuration
from relance_router.domain.interventions import HoldOutOfReach, InterventionRefused, KeyUsedTwice
from relance_router.routing.explanations import UnknownLead
from relance_router.terms import applied
from relance_router.terms.interventions import Order

MINUTE = timedelta(minutes=1)
ENDPOINTS = Endpoints()
EVENTS = "SELECT payload FROM outbox WHERE type = 'relance.assignment.terms_changed.v1' ORDER BY id"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SHORT_DAYS = {"id": "short", "zone": "Asia/Kolkata", "hours": dict.fromkeys(DAYS, "09:00-10:00")}


def configured(**windows: str) -> str:
    """Two teams, each with a rule; `windows` are those of team sales' rule."""
    document = yaml.safe_load(routing(ENDPOINTS, {"sales": TEAM, "more": ["dan"]}, window="60m"))
    document["rules"][0] |= windows
    return yaml.safe_dump(document)


def order(lead: LeadReceived | LeadId) -> Order:
    return Order(lead if not isinstance(lead, LeadReceived) else lead.lead_id, "M", "a fair week")


@pytest.fixture
async def router(open_database: OpenDatabase) -> Router:
    """A router whose teams have an hour to answer."""
    made = Router(open_database(ROUTER))
    await made.apply(configured())
    return made


async def told(router: Router) -> list[AssignmentTermsChanged]:
    return [AssignmentTermsChanged.model_validate_json(row["payload"]) for row in await router.rows(EVENTS)]


async def windows(router: Router, team: str = "sales") -> set[timedelta | None]:
    query = "SELECT DISTINCT respond_by - assigned_at AS window FROM assignments WHERE team = :team"
    return {row["window"] for row in await router.rows(query, team=team)}


async def test_a_window_applied_reaches_every_open_assignment_once_whoever_works_at_it(
    open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two replicas share the work; what is not concerned is not touched, and nothing is told twice."""
    monkeypatch.setattr(applied, "LOOKED_AT_AT_ONCE", 7)
    monkeypatch.setattr(applied, "MARKED_AT_ONCE", 5)
    replicas = [Router(open_database(ROUTER)) for _ in range(2)]
    router = replicas[0]
    await router.apply(configured())
    leads, others = await router.leads(40), await router.leads(12, "more")
    before = await router.rows("SELECT * FROM assignments WHERE team = 'more' ORDER BY id")
    await router.apply(configured(respond_within="90m"))
    await asyncio.gather(*(replica.bring() for replica in replicas))
    await asyncio.gather(*(replica.bring() for replica in replicas))

    assert await windows(router) == {90 * MINUTE}
    events = await told(router)
    assert sorted(event.lead_id for event in events) == sorted(lead.lead_id for lead in leads)
    assert {(event.revision, event.because, event.configuration) for event in events} == {(1, "configuration", 2)}
    assert {event.response_window for event in events} == {90 * MINUTE}
    after = await router.rows("SELECT * FROM assignments WHERE team = 'more' ORDER BY id")
    marked = {"terms_of": 2, "compared_with": 2}
    assert after == [{**row, **marked} for row in before]
    assert len(after) == len(others)

    # And a lead that comes now has the new window, without a word about it.
    await router.leads(1)
    await router.bring()
    assert await windows(router) == {90 * MINUTE}
    assert len(await told(router)) == len(leads)


async def test_an_apply_that_changes_nothing_for_anybody_says_nothing(router: Router) -> None:
    """What is in hand is only marked."""
    await router.leads(5)
    await router.apply("# as before\n" + configured())
    await router.bring()
    (row,) = await router.rows("SELECT DISTINCT terms_of, compared_with, revision FROM assignments")
    assert row == {"terms_of": 2, "compared_with": 2, "revision": 0}
    assert await told(router) == []


async def test_a_calendar_counts_for_what_is_in_hand(router: Router) -> None:
    """The deadline is the one that the new calendar gives from the beginning."""
    (lead,) = await router.leads(1)
    document = yaml.safe_load(configured())
    document["calendars"] = [SHORT_DAYS]
    for team in document["teams"]:
        team["calendar"] = "short"
    await router.apply(yaml.safe_dump(document))
    await router.bring()
    (event,) = await told(router)
    assert event.calendar
    assert event.calendar.id == "short"
    owner = await router.owner(lead.lead_id)
    assert owner["respond_by"] == deadline(event.calendar, owner["assigned_at"], 60 * MINUTE)
    assert event.configuration == 2


async def test_nobody_waits_anew_for_a_lead_that_nobody_waited_for_any_more(router: Router) -> None:
    """A clock that is promised from now on begins for open leads, and not for all that was ever contacted."""
    contacted, waiting = await router.leads(2)
    await router.recorder.record((await router.owner(contacted.lead_id))["id"], "contacted", None)
    await router.apply(configured(decide_within="5h"))
    await router.bring()
    (event,) = await told(router)
    assert (event.lead_id, event.disposition_window) == (waiting.lead_id, timedelta(hours=5))
    with pytest.raises(InterventionRefused, match="No disposition clock"):
        await router.by_hand.extend(order(contacted), "disposition", MINUTE)
    assert (await router.owner(contacted.lead_id))["compared_with"] == applied.NEVER_AGAIN


async def test_other_steps_and_quiet_hours_are_told_and_leave_the_deadline(router: Router) -> None:
    """The event tells all of the terms."""
    (lead,) = await router.leads(1)
    document = yaml.safe_load(configured())
    document["calendars"] = [SHORT_DAYS]
    policy = document["escalation_policies"][0]
    policy |= {"quiet_outside": "short", "steps": [{"name": "late", "action": "breach", "at": "100%"}]}
    await router.apply(yaml.safe_dump(document))
    await router.bring()
    (event,) = await told(router)
    assert (event.lead_id, [each.name for each in event.escalation]) == (lead.lead_id, ["late"])
    assert event.quiet_outside
    assert event.quiet_outside.id == "short"
    assert await windows(router) == {60 * MINUTE}


async def test_what_is_past_stays_past(router: Router) -> None:
    """Neither a longer window nor more time by hand undoes a breach; a shorter window is over now, not before."""
    late, early = await router.leads(2)
    for lead, age in ((late, 61), (early, 30)):
        await router.execute(f"""
            UPDATE assignments SET assigned_at = assigned_at - interval '{age} minutes',
                respond_by = respond_by - interval '{age} minutes' WHERE lead_id = '{lead.lead_id}'
        """)
    breached = (await router.owner(late.lead_id))["respond_by"]
    with pytest.raises(InterventionRefused, match="response deadline passed 1 min ago"):
        await router.by_hand.extend(order(late), "response", 30 * MINUTE)
    await router.apply(configured(respond_within="3h"))
    await router.bring()
    assert (await router.owner(late.lead_id))["respond_by"] == breached
    assert (await router.owner(early.lead_id))["respond_by"] > breached + 120 * MINUTE
    await router.apply(configured(respond_within="10m"))
    await router.bring()
    assert (await router.owner(late.lead_id))["respond_by"] == breached
    events = {(event.lead_id, event.revision): event for event in await told(router)}
    assert (await router.owner(early.lead_id))["respond_by"] == events[early.lead_id, 2].changed_at
    assert await router.rows("SELECT 1 FROM interventions") == []


async def test_extensions_and_holds_outlive_an_apply(router: Router) -> None:
    """They add up, in whatever order they come; every event tells all of it."""
    (lead,) = await router.leads(1)
    await router.by_hand.extend(order(lead), "response", 30 * MINUTE)
    assert await windows(router) == {90 * MINUTE}
    await router.by_hand.hold(order(lead), None)
    assert await windows(router) == {None}
    await router.apply(configured(respond_within="20m"))
    await router.bring()
    assert await windows(router) == {None}
    await router.by_hand.extend(order(lead), "response", 10 * MINUTE)
    await router.by_hand.release(order(lead))
    events = await told(router)
    assert [(event.revision, event.because, event.by) for event in events] == [
        (1, "extended", "M"), (2, "held", "M"), (3, "configuration", None), (4, "extended", "M"), (5, "released", "M"),
    ]  # fmt: skip
    assert [event.response_window // MINUTE for event in events] == [90, 90, 50, 60, 60]
    assert events[-1].extended == {"response": 40 * MINUTE}
    (held,) = events[-1].holds
    assert held.until == events[-1].changed_at
    assert await windows(router) == {60 * MINUTE + (held.until - held.since)}
    assert [len(event.holds) for event in events] == [0, 1, 1, 1, 1]


async def test_each_thing_done_by_hand_is_on_record_and_told_to_the_rep(router: Router) -> None:
    """Who, why, and what exactly; and nothing of what was refused."""
    (lead,) = await router.leads(1)
    until = datetime.now(UTC) + timedelta(days=1)
    await router.by_hand.extend(order(lead), "response", 30 * MINUTE)
    with pytest.raises(InterventionRefused):
        await router.by_hand.extend(order(lead), "contact", 30 * MINUTE)
    with pytest.raises(InterventionRefused):
        await router.by_hand.release(order(lead))
    with pytest.raises(HoldOutOfReach):
        await router.by_hand.hold(order(lead), until - timedelta(days=2))
    await router.by_hand.hold(order(lead), until)
    with pytest.raises(InterventionRefused):
        await router.by_hand.hold(order(lead), None)
    await router.by_hand.release(order(lead))
    done = await router.by_hand.of_lead(lead.lead_id)
    assert [(each.what, each.by, each.reason) for each in done] == [
        (what, "M", "a fair week") for what in ("extended", "held", "released")
    ]
    assert done[0].details == {"clock": "response", "seconds": 1800}
    assert datetime.fromisoformat(done[1].details["until"]) == until
    owner = await router.owner(lead.lead_id)
    query = "SELECT endpoint, details FROM notifications WHERE type = 'lead.changed' ORDER BY sequence"
    rows = await router.rows(query)
    assert {row["endpoint"] for row in rows} == {f"rep:{owner['rep']}"}
    assert [row["details"]["change"] for row in rows] == ["extended", "held", "released"]
    assert rows[0]["details"]["more"] == "30 min"
    assert datetime.fromisoformat(rows[2]["details"]["respond_by"]) == owner["respond_by"]
    with pytest.raises(UnknownLead):
        await router.by_hand.of_lead(LeadId(AssignmentId(owner["id"])))
    with pytest.raises(UnknownLead):
        await router.by_hand.hold(order(LeadId(owner["id"])), None)


async def test_an_order_that_is_sent_again_is_carried_out_once_and_answered_the_same(
    router: Router, open_database: OpenDatabase
) -> None:
    """At once at another replica, or when all has changed since; another order has another key."""
    (lead,) = await router.leads(1)
    first, replica = replace(order(lead), key="4711"), Router(open_database(ROUTER))
    answers = await asyncio.gather(*(each.by_hand.extend(first, "response", MINUTE) for each in (router, replica)))
    assert answers[0] == answers[1]
    assert await windows(router) == {61 * MINUTE}
    with pytest.raises(KeyUsedTwice):
        await router.by_hand.extend(first, "response", 2 * MINUTE)
    with pytest.raises(KeyUsedTwice):
        await router.by_hand.extend(replace(first, reason="another"), "response", MINUTE)
    with pytest.raises(KeyUsedTwice):
        await router.by_hand.release(first)
    (other,) = await router.leads(1)
    await router.by_hand.extend(replace(order(other), key="4711"), "response", MINUTE)
    await router.by_hand.extend(replace(first, key="4712"), "response", MINUTE)
    held, released = replace(first, key="hold"), replace(first, key="release")
    for _ in range(2):
        assert (await router.by_hand.hold(held, None)).on_hold
    for _ in range(2):
        assert not (await router.by_hand.release(released)).on_hold
    await router.by_hand.hold(order(lead), None)
    assert not (await router.by_hand.release(released)).on_hold, "late, it does not end another hold"
    await router.recorder.record(AssignmentId((await router.owner(lead.lead_id))["id"]), "contacted", None)
    assert await router.by_hand.extend(first, "response", MINUTE) == answers[0]
    done = [each.what for each in await router.by_hand.of_lead(lead.lead_id)]
    assert done == ["extended", "extended", "held", "released", "held"]
    assert len(await told(router)) == len(done) + 1


async def test_a_lead_on_hold_can_be_answered_and_its_page_says_why_it_is_held(router: Router) -> None:
    """Its rep need not, but may."""
    (lead,) = await router.leads(1)
    assignment = AssignmentId((await router.owner(lead.lead_id))["id"])
    await router.by_hand.hold(order(lead), None)
    seen = await router.recorder.look(assignment)
    assert seen.respond_by is None
    assert seen.on_hold
    assert (seen.on_hold.by, seen.on_hold.reason, seen.on_hold.until) == ("M", "a fair week", None)
    assert isinstance((await router.recorder.record(assignment, "contacted", None)).verdict, Recorded)
    with pytest.raises(InterventionRefused, match="has stopped"):
        await router.by_hand.extend(order(lead), "response", MINUTE)
    await router.by_hand.release(order(lead))
    assert (await router.recorder.look(assignment)).on_hold is None
    with pytest.raises(InterventionRefused, match="No clock runs"):
        await router.by_hand.hold(order(lead), None)
    await router.books()


async def test_a_step_that_was_fired_before_a_hold_was_known_takes_nobody_s_lead(router: Router) -> None:
    """Nor one of a deadline that lies later now; one of the deadline that holds does.

    The SLA monitor is told with the terms, once, why nobody was: it fires them again. At risk was said, and stays said.
    """
    (held,), (extended,) = await router.leads(1), await router.leads(1)
    await router.by_hand.hold(order(held), None)
    await router.by_hand.extend(order(extended), "response", MINUTE)
    owners = [await router.owner(lead.lead_id) for lead in (held, extended)]
    stale = [step(owner, action) for owner in owners for action in ("remind_rep", "reassign", "at_risk")]
    before = len(await told(router))
    await router.handle(stale)
    kept = [await router.owner(lead.lead_id) for lead in (held, extended)]
    assert [(each["id"], each["respond_by"]) for each in kept] == [(each["id"], each["respond_by"]) for each in owners]
    assert await router.rows("SELECT 1 FROM notifications WHERE type = 'lead.reminder'") == []
    skipped = {event.lead_id: event for event in (await told(router))[before:]}
    assert {lead: event.because for lead, event in skipped.items()} == {
        held.lead_id: "held",
        extended.lead_id: "extended",
    }
    for event, owner in zip((skipped[held.lead_id], skipped[extended.lead_id]), owners, strict=True):
        assert {(each.step, each.due_at) for each in event.skipped} == {("remind_rep", NOW), ("reassign", NOW)}
        assert event.revision == owner["revision"] + 1
    fired = step(owners[1], "reassign")
    data = fired.data.model_copy(update={"deadline": owners[1]["respond_by"]})
    await router.handle([replace(fired, data=data)])
    assert (await router.owner(extended.lead_id))["id"] != owners[1]["id"]
    await router.books()


async def test_when_the_rule_is_gone_what_was_promised_stands_and_can_still_be_extended(router: Router) -> None:
    """Also over further versions; once the rule is back, its terms hold again."""
    (lead,) = await router.leads(1)
    without = yaml.safe_load(configured())
    del without["rules"][0]
    await router.apply(yaml.safe_dump(without))
    await router.bring()
    without["fallback"]["respond_within"] = "5m"
    await router.apply(yaml.safe_dump(without))
    await router.bring()
    assert await told(router) == []
    await router.by_hand.extend(order(lead), "response", 15 * MINUTE)
    assert await windows(router) == {75 * MINUTE}
    (event,) = await told(router)
    assert event.configuration == 1
    await router.apply(configured(respond_within="30m"))
    await router.bring()
    assert await windows(router) == {45 * MINUTE}


async def test_the_arm_of_a_split_keeps_its_promise(router: Router) -> None:
    """Also for assignments of the release before, which did not store it, when the shares are others now."""
    document = yaml.safe_load(configured())
    arms = [{"team": "sales", "share": "50%", "respond_within": window} for window in ("30m", "40m")]
    document["rules"] = [{"id": "split", "when": {}, "respond_within": "1h", "escalation": "standard", "split": arms}]
    await router.apply(yaml.safe_dump(document))
    await router.route([a_lead(identity=str(number)) for number in range(12)])
    by_arm = await router.rows("SELECT id, arm, respond_by - assigned_at AS window FROM assignments ORDER BY id")
    assert {(row["arm"], row["window"] // MINUTE) for row in by_arm} == {(0, 30), (1, 40)}
    await router.execute("UPDATE assignments SET arm = NULL WHERE ctid IN (SELECT ctid FROM assignments LIMIT 8)")
    arms[0] |= {"share": "1%", "respond_within": "50m"}
    arms[1] |= {"share": "99%"}
    await router.apply(yaml.safe_dump(document))
    await router.bring()
    after = await router.rows("SELECT id, arm, respond_by - assigned_at AS window FROM assignments ORDER BY id")
    assert [(row["arm"], row["window"] // MINUTE) for row in after] == [
        (row["arm"], (50, 40)[row["arm"]]) for row in by_arm
    ]
    assert len(await told(router)) == sum(row["arm"] == 0 for row in by_arm)


async def test_what_a_release_cannot_read_any_more_is_tried_once_and_gets_the_new_terms(
    open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once for each assignment."""
    await (before := Router(open_database(ROUTER))).apply(configured())
    await before.leads(20)
    await before.apply(configured(respond_within="2h"))
    tried: list[str] = []

    def parse(content: str, name: str) -> Configuration:
        tried.append(name)
        return routing_file.parse("written: by another release" if name == "configuration 1" else content, name)

    monkeypatch.setattr(versions, "parse", parse)
    after = Router(open_database(ROUTER))
    await after.bring()
    assert await windows(after) == {120 * MINUTE}
    assert tried.count("configuration 1") <= 2


async def test_a_lead_that_somebody_is_answering_is_not_waited_for(router: Router) -> None:
    """It is looked at in a later turn, when the answer is there: then its clock has stopped, and nothing moves."""
    await router.apply(configured(contact_within="4h"))
    lead, other = await router.leads(2)
    await router.apply(configured(respond_within="2h", contact_within="5h"))
    answered = await router.owner(lead.lead_id)
    async with router.database.transaction() as connection:
        await connection.execute(text("SELECT FROM leads WHERE id = :id FOR UPDATE"), {"id": lead.lead_id})
        await asyncio.wait_for(router.bring(), 10)
        await connection.execute(
            text("UPDATE assignments SET state = 'acknowledged' WHERE id = :id"), {"id": answered["id"]}
        )
    assert [event.lead_id for event in await told(router)] == [other.lead_id]
    await router.bring()
    after = await router.owner(lead.lead_id)
    assert (after["respond_by"], after["revision"]) == (answered["respond_by"], 1)
    assert after["contact_by"] == after["assigned_at"] + timedelta(hours=5)


async def test_answers_changes_by_hand_and_applies_at_once_keep_the_books(open_database: OpenDatabase) -> None:
    """No deadlock, no revision twice, and the newest event says what is stored."""
    replicas = [Router(open_database(ROUTER)) for _ in range(2)]
    router = replicas[0]
    await router.apply(configured(decide_within="3h"))
    leads = await router.leads(16)
    owners = {lead.lead_id: await router.owner(lead.lead_id) for lead in leads}

    async def by_hand(place: int, lead: LeadReceived) -> None:
        replica = replicas[place % 2]
        for _ in range(3):
            try:
                await replica.by_hand.extend(order(lead), "disposition", MINUTE)
                await replica.by_hand.hold(order(lead), None)
                await replica.by_hand.release(order(lead))
            except InterventionRefused:
                pass

    async def apply() -> None:
        for window in ("100m", "110m", "120m"):
            await router.apply(configured(respond_within=window, decide_within="3h"))
            await asyncio.gather(*(replica.bring() for replica in replicas))

    async def answer(lead: LeadReceived) -> None:
        await router.recorder.record(owners[lead.lead_id]["id"], "declined", None)

    await asyncio.gather(
        apply(), *(by_hand(*each) for each in enumerate(leads)), *(answer(lead) for lead in leads[::2])
    )
    await router.bring()
    by_assignment: dict[Any, list[AssignmentTermsChanged]] = {}
    for event in await told(router):
        by_assignment.setdefault(event.assignment_id, []).append(event)
    for row in await router.rows("SELECT * FROM assignments"):
        events = by_assignment.get(row["id"], [])
        assert [event.revision for event in events] == list(range(1, row["revision"] + 1))
        assert [event.changed_at for event in events] == sorted(event.changed_at for event in events)
        if events:
            stored = {clock: timedelta(seconds=seconds) for clock, seconds in row["extended"].items()}
            assert events[-1].extended == stored
            assert [json.loads(hold.model_dump_json()) for hold in events[-1].holds] == row["holds"]
    await router.books()
