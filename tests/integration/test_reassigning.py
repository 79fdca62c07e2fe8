"""Promises of a manager who gives a lead to somebody else, on the real database."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import yaml
from tests.integration.conftest import OpenDatabase
from tests.integration.router_harness import TEAM, Router, step
from tests.system import Endpoints, routing

from relance.events import AssignmentEnded, AssignmentMade, LeadReceived
from relance.ids import LeadId
from relance_local.services import ROUTER
from relance_router.deliveries.records import replay_failed
from relance_router.domain.answers import ENDED, AssignmentState, Recorded, Refused
from relance_router.domain.interventions import InterventionRefused, KeyUsedTwice
from relance_router.domain.routing import By
from relance_router.routing.explanations import UnknownLead
from relance_router.routing.people import UnknownRep
from relance_router.terms.interventions import Order

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
LEADS_OF = "SELECT rep, open_leads FROM reps WHERE open_leads > 0"


def configured(team: dict[str, Any] | None = None) -> str:
    """Team sales of three, and dan of a team of his own."""
    document = yaml.safe_load(routing(Endpoints(), {"sales": TEAM, "more": ["dan"]}))
    document["teams"][0] |= team or {}
    return yaml.safe_dump(document)


@pytest.fixture
async def router(open_database: OpenDatabase) -> Router:
    """A router."""
    made = Router(open_database(ROUTER))
    await made.apply(configured())
    return made


async def reassign(router: Router, given: LeadReceived, to: str | None = None) -> str | None:
    """Who has it now."""
    done = await router.reassignment.reassign(Order(given.lead_id, "maria", "knows the customer"), to)
    return done.rep


async def notified(router: Router, type_: str) -> list[tuple[str, dict[str, Any]]]:
    query = "SELECT endpoint, details FROM notifications WHERE type = :type ORDER BY sequence"
    return [(row["endpoint"], row["details"]) for row in await router.rows(query, type=type_)]


async def test_a_named_rep_gets_the_lead_at_once_and_the_former_one_is_told(router: Router) -> None:
    """Without a turn, with the events, on record, explained, and with the load where the lead is."""
    (given,) = await router.leads(1)
    former = await router.owner(given.lead_id)
    turns = "SELECT team, virtual_time FROM teams ORDER BY team"
    before = await router.rows(turns)
    assert await reassign(router, given, "dan") == "dan"
    owner = await router.owner(given.lead_id)
    assert (owner["team"], owner["ordinal"], owner["weight"]) == ("more", 2, 0)
    assert owner["why"] == "maria gave it to you: knows the customer"
    assert [row for row in await router.rows(turns) if row in before] == before
    assert await router.rows(LEADS_OF) == [{"rep": "dan", "open_leads": 1}]
    assert await router.rows("SELECT 1 FROM ignored_leads") == []
    ((endpoint, details),) = await notified(router, "lead.taken_away")
    assert (endpoint, details["by"], details["why"]) == (f"rep:{former['rep']}", "maria", "knows the customer")
    pending = "SELECT 1 FROM notifications WHERE type = 'lead.assigned' AND state = 'cancelled'"
    assert len(await router.rows(pending)) == 1, "the former rep is not told any more that it is theirs"
    (ended,) = await router.rows("SELECT payload FROM outbox WHERE type = :type", type=AssignmentEnded.TYPE)
    end = AssignmentEnded.model_validate_json(ended["payload"])
    assert (end.rep, end.reason, end.by) == (former["rep"], "reassigned", "maria")
    (done,) = await router.rows("SELECT * FROM interventions")
    assert (done["what"], done["by"], done["assignment_id"]) == ("reassigned", "maria", former["id"])
    assert done["details"] == {"from": former["rep"], "to": "dan", "team": "more"}
    *_, decision = await router.explanations.of_lead(given.lead_id)
    assert decision.explanation.words[-1] == (
        "The lead went to dan of team more: maria gave it to you: knows the customer."
    )
    assert getattr(decision.explanation.outcome, "by", None) is By.MANAGER
    assert ENDED[(await router.recorder.look(former["id"])).state].sentence.startswith("A manager")
    await router.books()


async def test_what_people_write_stands_in_no_event(router: Router) -> None:
    """Events are kept for ever, and own words may name anybody: they stay in the router's books."""
    (given,) = await router.leads(1)
    order = Order(given.lead_id, "maria", "Mr Schmidt is ill")
    await router.by_hand.extend(order, "response", timedelta(minutes=1))
    await router.by_hand.hold(order, None)
    await router.by_hand.release(order)
    await router.reassignment.reassign(order, None)
    await router.recorder.record((await router.owner(given.lead_id))["id"], "declined", "Mr Schmidt knows me")
    written = "SELECT 1 FROM outbox WHERE payload LIKE '%Schmidt%'"
    assert await router.rows(written) == []
    kept = "SELECT reason FROM interventions UNION ALL SELECT reason FROM answers"
    assert [row["reason"] for row in await router.rows(kept)] == [order.reason] * 4 + ["Mr Schmidt knows me"]


async def test_a_rep_of_the_same_team_keeps_the_lead_in_it(router: Router) -> None:
    """Also one who had it before, or is away: a manager knows what they do."""
    (given,) = await router.leads(1)
    first = (await router.owner(given.lead_id))["rep"]
    second, third = (rep for rep in TEAM if rep != first)
    await router.people.pause(second, because="at lunch", by="a test")
    for rep in (second, third, first):
        assert await reassign(router, given, rep) == rep
        assert (await router.owner(given.lead_id))["team"] == "sales"
    await router.books()


async def test_without_a_name_the_lead_goes_to_the_next_who_has_not_had_it(router: Router) -> None:
    """Until all have: then nothing changes, and the answer says so."""
    (given,) = await router.leads(1)
    had_it = [(await router.owner(given.lead_id))["rep"], await reassign(router, given), await reassign(router, given)]
    assert sorted(had_it) == sorted(TEAM)
    *_, decision = await router.explanations.of_lead(given.lead_id)
    assert "maria had it given to somebody else: knows the customer." in decision.explanation.words
    with pytest.raises(InterventionRefused, match=f"everybody available had it before: it stays with {had_it[-1]}"):
        await reassign(router, given)
    assert (await router.owner(given.lead_id))["rep"] == had_it[-1]
    assert len(await router.rows("SELECT 1 FROM interventions")) == 2
    await router.books()


async def test_a_reassignment_that_is_sent_again_moves_the_lead_once(router: Router) -> None:
    """To the next: without the key the repeat would give it to the one after. It is answered as the first was."""
    (given,) = await router.leads(1)
    order = Order(given.lead_id, "maria", "knows the customer", key="4711")
    first = await router.reassignment.reassign(order, None)
    assert await router.reassignment.reassign(order, None) == first
    assert (await router.owner(given.lead_id))["id"] == first.assignment_id
    with pytest.raises(KeyUsedTwice):
        await router.reassignment.reassign(order, "dan")
    await router.books()


async def test_a_lead_that_was_contacted_moves_without_freeing_anybody(router: Router) -> None:
    """It was no load any more; what was won is nobody's to give."""
    first, second = await router.leads(2)
    owner = await router.owner(first.lead_id)
    await router.recorder.record(owner["id"], "contacted", None)
    assert await reassign(router, first, "dan") == "dan"
    await router.books()
    other = await router.owner(second.lead_id)
    await router.recorder.record(other["id"], "contacted", None)
    await router.recorder.say(other["id"], "won", reason=None, note=None)
    with pytest.raises(InterventionRefused, match="was won"):
        await reassign(router, second, "dan")


async def test_a_lead_that_stands_unrouted_is_given_to_a_named_rep_only(router: Router) -> None:
    """It goes to the next one by itself."""
    for rep in TEAM:
        await router.people.pause(rep, because="at lunch", by="a test")
    (given,) = await router.leads(1)
    with pytest.raises(InterventionRefused, match="stands unrouted"):
        await reassign(router, given)
    assert await reassign(router, given, "ben") == "ben"
    assert await router.rows("SELECT 1 FROM unrouted") == []
    assert (await router.owner(given.lead_id))["ordinal"] == 1
    await router.books()


async def test_a_lead_that_is_offered_is_nobody_s_to_claim_once_it_was_given(router: Router) -> None:
    """The others hear that it is over, and the one who has it that it is theirs."""
    await router.apply(configured({"choose": "broadcast", "claim_within": "1h"}))
    (given,) = await router.leads(1)
    assert await reassign(router, given, "ben") == "ben"
    assert sorted(endpoint for endpoint, _ in await notified(router, "lead.taken")) == ["rep:anna", "rep:chloe"]
    (offer,) = await router.rows("SELECT id FROM offers WHERE rep = 'anna'")
    late = await router.recorder.record(offer["id"], "acknowledged", None)
    assert isinstance(late.verdict, Refused)
    again = await router.reassignment.reassign(Order(given.lead_id, "maria", "not ben"), None)
    assert (again.rep, again.offered_to) == (None, ["anna", "chloe"])
    await router.books()


async def test_what_cannot_be_given_is_refused_with_the_reason(router: Router) -> None:
    """A lead or a rep that is not there, and a rep who has it."""
    (given,) = await router.leads(1)
    with pytest.raises(UnknownLead):
        await router.reassignment.reassign(Order(LeadId(uuid4()), "maria", "why not"), "ben")
    with pytest.raises(UnknownRep, match="'zoe'"):
        await reassign(router, given, "zoe")
    rep = (await router.owner(given.lead_id))["rep"]
    with pytest.raises(InterventionRefused, match=f"{rep} has the lead already"):
        await reassign(router, given, rep)
    assert len(await router.rows("SELECT 1 FROM assignments")) == 1


async def test_of_two_managers_who_name_the_same_rep_one_is_told_that_it_is_done(router: Router) -> None:
    """One owner, one record."""
    (given,) = await router.leads(1)
    done = await asyncio.gather(*(reassign(router, given, "dan") for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in done if each != "dan"] == [InterventionRefused]
    assert len(await router.rows("SELECT 1 FROM interventions")) == 1
    await router.books()


async def test_a_manager_and_the_rep_s_answer_at_once_leave_one_owner(router: Router) -> None:
    """Whoever was first holds: a later answer is refused, an earlier one moves with the lead."""
    for given in await router.leads(6):
        owner = await router.owner(given.lead_id)
        answer, _ = await asyncio.gather(
            router.recorder.record(owner["id"], "acknowledged", None), reassign(router, given, "dan")
        )
        assert isinstance(answer.verdict, Recorded | Refused)
        assert (await router.owner(given.lead_id))["rep"] == "dan"
        assert (await router.recorder.look(owner["id"])).state is AssignmentState.MOVED
    await router.books()


async def test_a_manager_and_an_escalation_at_once_leave_one_owner(router: Router) -> None:
    """The escalation moves nothing that the manager has moved, and counts nothing as ignored that was taken away."""
    for given in await router.leads(6):
        owner = await router.owner(given.lead_id)
        await asyncio.gather(router.handle([step(owner, "reassign")]), reassign(router, given, "dan"))
        assert (await router.owner(given.lead_id))["rep"] == "dan"
    ended = await router.rows("SELECT state, count(*) AS leads FROM assignments WHERE ended_at IS NOT NULL GROUP BY 1")
    ignored = {row["state"]: row["leads"] for row in ended}.get("reassigned", 0)
    counted = await router.rows("SELECT coalesce(sum(in_a_row), 0) AS leads FROM ignored_leads")
    assert counted[0]["leads"] == ignored
    await router.books()


async def test_the_new_rep_s_promise_and_quiet_hours_are_told_with_the_assignment(router: Router) -> None:
    """As with every other assignment."""
    document = yaml.safe_load(configured())
    document["calendars"] = [{"id": "waking", "zone": "UTC", "hours": {"mon": "07:00-22:00"}}]
    document["escalation_policies"][0]["quiet_outside"] = "waking"
    await router.apply(yaml.safe_dump(document))
    (given,) = await router.leads(1)
    await reassign(router, given, "dan")
    rows = await router.rows("SELECT payload FROM outbox WHERE type = :type ORDER BY id", type=AssignmentMade.TYPE)
    made = [AssignmentMade.model_validate_json(row["payload"]) for row in rows]
    assert [(each.rep == "dan", each.quiet_outside and each.quiet_outside.id) for each in made] == [
        (False, "waking"),
        (True, "waking"),
    ]


async def test_the_word_that_a_lead_is_taken_away_is_sent_again_when_it_failed(router: Router) -> None:
    """Unlike whatever else concerns a lead that the rep no longer has."""
    (given,) = await router.leads(1)
    former = (await router.owner(given.lead_id))["rep"]
    await reassign(router, given, "dan")
    await router.execute("UPDATE notifications SET state = 'failed', settled_at = now()")
    async with router.database.transaction() as connection:
        assert await replay_failed(connection, f"rep:{former}", LONG_AGO) == 1
    again = await router.rows("SELECT type FROM notifications WHERE state = 'pending'")
    assert again == [{"type": "lead.taken_away"}]
