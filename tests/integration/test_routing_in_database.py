"""Promises of routing that the database keeps: one owner, fair shares, right counts, under concurrency."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from sqlalchemy.exc import IntegrityError
from tests.integration.conftest import OpenDatabase
from tests.integration.router_harness import TEAM, Router, step
from tests.system import Endpoints, routing

from relance.clock import utc_now
from relance.events import AssignmentMade, LeadUnrouted, StepFired
from relance.events.assignment import ClockName
from relance_local.services import ROUTER
from relance_router.domain.answers import Refused
from relance_sla_monitor.domain.clocks import start


@pytest.fixture
async def router(open_database: OpenDatabase) -> Router:
    """A router with one team of three."""
    made = Router(open_database(ROUTER))
    await made.apply(routing(Endpoints(), {"sales": TEAM}))
    return made


async def test_a_batch_is_shared_fairly_and_each_assignment_explains_itself(router: Router) -> None:
    """Invariants 3, 4 and 5, after one transaction."""
    await router.leads(100)
    given = Counter(row["rep"] for row in await router.rows("SELECT rep FROM assignments"))
    assert sorted(given.values()) == [33, 33, 34]
    await router.books()


async def test_replicas_that_route_at_once_stay_fair_together(router: Router, open_database: OpenDatabase) -> None:
    """Four routers, forty transactions side by side: the team's row makes them take turns."""
    routers = [router, *(Router(open_database(ROUTER)) for _ in range(3))]
    await asyncio.gather(*(each.leads(7) for each in routers for _ in range(10)))
    given = Counter(row["rep"] for row in await router.rows("SELECT rep FROM assignments"))
    assert sum(given.values()) == 280
    assert max(given.values()) - min(given.values()) <= 1
    await router.books()


async def test_a_second_owner_is_impossible(router: Router) -> None:
    """Invariant 3 is a constraint, not a convention."""
    (given,) = await router.leads(1)
    with pytest.raises(IntegrityError, match="one_owner"):
        await router.rows(
            """
            INSERT INTO assignments SELECT gen_random_uuid(), lead_id, 2, 'ben', team, weight, rule, 'open',
                assigned_at, respond_by, NULL, configuration, explanation FROM assignments WHERE lead_id = :id
            RETURNING id
            """,
            id=given.lead_id,
        )


async def test_declines_and_ignored_leads_go_round_the_team_and_stop_at_the_right_place(router: Router) -> None:
    """A decline that nobody is left for stands unrouted; an ignored lead stays with its last owner."""
    declined, ignored = await router.leads(2)
    for _ in TEAM:
        owner = await router.owner(declined.lead_id)
        await router.recorder.record(owner["id"], "declined", "not mine")
    (standing,) = await router.rows("SELECT lead_id, reason FROM unrouted")
    assert standing == {"lead_id": declined.lead_id, "reason": "everybody_available_had_it"}

    owners = []
    for _ in range(4):
        owner = await router.owner(ignored.lead_id)
        owners.append(owner["rep"])
        await router.handle([step(owner, "reassign")])
    assert sorted(owners[:3]) == sorted(TEAM)
    assert owners[3] == owners[2]
    await router.books()


async def test_an_answered_lead_is_not_taken_away(router: Router) -> None:
    """The answer was committed before the escalation arrived."""
    (given,) = await router.leads(1)
    owner = await router.owner(given.lead_id)
    await router.recorder.record(owner["id"], "acknowledged", None)
    await router.handle([step(owner, "reassign"), step(owner, "remind_rep"), step(owner, "notify_manager")])
    assert (await router.owner(given.lead_id))["id"] == owner["id"]
    assert await router.rows("SELECT type FROM notifications") == [{"type": "lead.assigned"}]
    await router.books()


async def test_reminders_and_escalations_are_told_once_per_step(router: Router) -> None:
    """Also when the event is another one for the same step."""
    (given,) = await router.leads(1)
    owner = await router.owner(given.lead_id)
    for _ in range(2):
        await router.handle([step(owner, "remind_rep", "half"), step(owner, "notify_manager", "boss")])
    told = await router.rows("SELECT type, endpoint FROM notifications ORDER BY type")
    assert told == [
        {"type": "lead.assigned", "endpoint": f"rep:{owner['rep']}"},
        {"type": "lead.escalated", "endpoint": "manager:sales"},
        {"type": "lead.reminder", "endpoint": f"rep:{owner['rep']}"},
    ]


async def test_a_declined_lead_is_no_longer_announced(router: Router) -> None:
    """What was not delivered yet is cancelled."""
    (given,) = await router.leads(1)
    owner = await router.owner(given.lead_id)
    await router.recorder.record(owner["id"], "declined", None)
    states = await router.rows("SELECT state FROM notifications WHERE assignment_id = :id", id=owner["id"])
    assert states == [{"state": "cancelled"}]


async def test_the_manager_hears_of_an_ignored_lead_although_it_has_gone_to_somebody_else(router: Router) -> None:
    """After an outage all steps fall due at once, and the reassignment comes right behind the escalation."""
    (given,) = await router.leads(1)
    owner = await router.owner(given.lead_id)
    await router.handle([step(owner, "remind_rep"), step(owner, "notify_manager"), step(owner, "reassign")])
    told = await router.rows("SELECT type, state FROM notifications WHERE assignment_id = :id", id=owner["id"])
    assert {row["type"]: row["state"] for row in told} == {
        "lead.assigned": "cancelled",
        "lead.reminder": "cancelled",
        "lead.escalated": "pending",
    }


async def test_who_was_to_hear_of_an_ignored_lead_before_it_was_passed_on_hears_of_it_until_somebody_answers(
    router: Router,
) -> None:
    """After an outage the steps may come in two batches. What was due later goes on with the next rep."""
    leads = await router.leads(2)
    owners = [await router.owner(each.lead_id) for each in leads]
    await router.handle([step(owner, "reassign") for owner in owners])
    await router.recorder.record((await router.owner(leads[1].lead_id))["id"], "acknowledged", None)
    behind = [step(owner, action) for owner in owners for action in ("remind_rep", "notify_manager")]
    later = step(owners[0], "notify_manager", "later")
    assert isinstance(later.data, StepFired)
    goes_on = later.data.model_copy(update={"due_at": utc_now() + timedelta(minutes=1)})
    await router.handle([*behind, replace(later, data=goes_on)])
    told = await router.rows("SELECT lead_id, details ->> 'step' AS step FROM notifications WHERE details ? 'step'")
    assert told == [{"lead_id": leads[0].lead_id, "step": "notify_manager"}]
    await router.books()


async def test_an_answer_and_a_reassignment_at_once_leave_one_owner(router: Router) -> None:
    """Either the answer counts and the lead stays, or it comes too late and the rep is told so."""
    leads = await router.leads(30)
    owners = [await router.owner(each.lead_id) for each in leads]

    async def answer(owner: dict[str, Any]) -> bool:
        taken = await router.recorder.record(owner["id"], "acknowledged", None)
        return not isinstance(taken.verdict, Refused)

    outcomes = await asyncio.gather(
        *(answer(owner) for owner in owners), *(router.handle([step(owner, "reassign")]) for owner in owners)
    )
    for owner, kept in zip(owners, outcomes[:30], strict=True):
        assert ((await router.owner(owner["lead_id"]))["id"] == owner["id"]) is kept
    await router.books()


async def test_unrouted_leads_are_routed_when_the_configuration_changes(router: Router) -> None:
    """And are told of as if they had just come. That they wait was told with the team that could not take them."""
    await router.apply(routing(Endpoints(), {"sales": ["anna"]}, reps={"anna": {"available": False}}))
    await router.leads(3)
    assert len(await router.rows("SELECT lead_id FROM unrouted")) == 3
    await router.apply(routing(Endpoints(), {"sales": ["dan"]}))
    await router.unrouted.retry()
    assert await router.rows("SELECT * FROM unrouted") == []
    assert await router.rows("SELECT DISTINCT rep, configuration FROM assignments") == [
        {"rep": "dan", "configuration": 3}
    ]
    told = await router.rows("SELECT payload FROM outbox WHERE type = 'relance.lead.unrouted.v1'")
    assert [LeadUnrouted.model_validate_json(each["payload"]).team for each in told] == ["sales"] * 3
    await router.books()


async def test_leads_that_wait_for_working_hours_are_counted_as_such(router: Router) -> None:
    """Nobody needs to be woken for them; of those whose only rep is away for weeks somebody should know."""
    await router.apply(routing(Endpoints(), {"sales": ["anna"]}, reps={"anna": {"available": False}}))
    await router.leads(3)

    async def counted(until: str) -> tuple[float | None, float | None]:
        await router.execute(f"UPDATE unrouted SET until = {until}, since = now(), tried_at = now()")
        await router.unrouted.retry()
        nobody, closed = (
            REGISTRY.get_sample_value("relance_router_unrouted_leads", {"reason": reason})
            for reason in ("nobody_available", "closed")
        )
        return nobody, closed

    assert await counted("NULL") == (3, 0)
    assert await counted("now() + interval '12 hours'") == (0, 3)
    assert await counted("now() + interval '2 weeks'") == (3, 0)


async def test_capacity_holds_leads_back_until_one_is_contacted(router: Router) -> None:
    """Nobody gets more than they take; what waits is tried again."""
    await router.apply(routing(Endpoints(), {"sales": ["anna"]}, reps={"anna": {"capacity": 2}}))
    leads = await router.leads(3)
    (standing,) = await router.rows("SELECT lead_id, reason FROM unrouted")
    assert standing["reason"] == "nobody_available"
    held = next(each for each in leads if each.lead_id != standing["lead_id"])
    await router.recorder.record((await router.owner(held.lead_id))["id"], "contacted", None)
    await router.unrouted.retry()
    assert len(await router.rows("SELECT lead_id FROM unrouted")) == 1, "patience, while nobody says that he is free"
    router.unrouted.is_free(["sales"])
    await router.unrouted.retry()
    assert (await router.owner(standing["lead_id"]))["rep"] == "anna"
    await router.books()


async def test_an_explanation_names_every_rule_tried_and_everybody_passed_over(router: Router) -> None:
    """It can be shown to whoever asks why."""
    document = yaml.safe_load(
        routing(
            Endpoints(),
            {"sales": ["anna", "ben", "chloe", "dan"]},
            reps={"anna": {"available": False}, "ben": {"capacity": 1}},
            rules=[{"id": "calls", "when": {"channel": "call"}, "team": "sales"}],
        )
    )
    await router.apply(yaml.safe_dump(document))
    leads = await router.leads(4)
    (decision,) = await router.explanations.of_lead(leads[3].lead_id)
    owner = await router.owner(leads[3].lead_id)
    told = decision.explanation
    assert [(tried.rule, tried.failed) for tried in told.rules_tried] == [("calls", "channel is form, wanted call")]
    reasons = {each.rep: each.reason for each in told.candidates if not each.chosen}
    assert reasons.pop("anna") == "not available"
    assert reasons.pop("ben") == "has 1 open leads, which is the most they take"
    assert list(reasons.values()) == ["it was not their turn"]
    assert told.words[1:3] == (
        "Rule calls did not fit: channel is form, wanted call.",
        "No rule fits, so the fallback decides.",
    )
    assert told.words[-1] == f"The lead went to {owner['rep']} of team sales: your turn in team sales."
    await router.books()


async def test_windows_count_in_the_reps_working_time_or_else_in_the_teams(router: Router) -> None:
    """The deadline told is the one that the SLA monitor computes from the event's terms."""
    document = yaml.safe_load(routing(Endpoints(), {"sales": ["anna"], "more": ["ben"]}))
    always = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "00:00-24:00")
    # One hour a day: a window of three hours is over on the third day at the earliest.
    short = {"id": "short", "zone": "Asia/Kolkata", "hours": dict.fromkeys(always, "09:00-10:00")}
    document["calendars"] = [{"id": "round-the-clock", "zone": "UTC", "hours": always}, short]
    for team in document["teams"]:
        team["calendar"] = "short"
    document["reps"][0]["calendar"] = "round-the-clock"
    for rule in document["rules"]:
        rule |= {"respond_within": "3h", "contact_within": "4h", "decide_within": "5h"}
    await router.apply(yaml.safe_dump(document))
    (hers,), (his,) = await router.leads(1, "sales"), await router.leads(1, "more")
    for given, calendar in ((hers, "round-the-clock"), (his, "short")):
        owner = await router.owner(given.lead_id)
        (event,) = await router.rows("SELECT payload FROM outbox WHERE aggregate_id = :id", id=str(given.lead_id))
        made = AssignmentMade.model_validate_json(event["payload"])
        assert made.calendar
        assert made.calendar.id == calendar
        assert (made.contact_window, made.disposition_window) == (timedelta(hours=4), timedelta(hours=5))
        assert owner["respond_by"] == start(made)[0].deadline
        (told,) = await router.rows("SELECT details FROM notifications WHERE lead_id = :id", id=given.lead_id)
        assert datetime.fromisoformat(told["details"]["respond_by"]) == owner["respond_by"]
        assert (owner["respond_by"] - owner["assigned_at"] == timedelta(hours=3)) is (calendar != "short")


async def test_each_clocks_steps_escalate_while_that_clock_is_waited_for(router: Router) -> None:
    """An acknowledged lead is still to be contacted, a contacted one to be judged; a judged one is nobody's worry."""
    (given,) = await router.leads(1)
    owner = await router.owner(given.lead_id)

    async def told(clock: ClockName, name: str) -> bool:
        await router.handle([step(owner, "notify_manager", name, clock=clock)])
        return bool(await router.rows("SELECT 1 FROM notifications WHERE details ->> 'step' = :name", name=name))

    assert await told("response", "a")
    await router.execute("UPDATE assignments SET state = 'acknowledged'")
    assert not await told("response", "b")
    assert await told("contact", "c")
    await router.execute("UPDATE assignments SET state = 'contacted'")
    assert not await told("contact", "d")
    assert await told("disposition", "e")
    await router.execute("UPDATE assignments SET disposition = 'rejected'")
    assert not await told("disposition", "f")
