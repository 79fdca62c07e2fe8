"""Promises of erasing in the router: nothing says who it was, nobody works on it, and the books stay right."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from sqlalchemy import text
from tests.integration.conftest import OpenDatabase
from tests.integration.events import NOW, envelope, revised
from tests.integration.router_harness import TEAM, Router, erasure, step
from tests.integration.test_clocks_in_database import Monitor
from tests.system import Endpoints, routing

from relance.database import Database
from relance.events import EVENT_TYPES, Contact, Envelope, LeadReceived
from relance.events.data import EventData
from relance.ids import LeadId, new_id
from relance_local.services import ROUTER
from relance_router.deliveries.couriers import Attempt
from relance_router.deliveries.delivery_log import LoggedAttempt
from relance_router.deliveries.endpoints import rep_endpoint
from relance_router.deliveries.notifications import Room, claim
from relance_router.deliveries.records import replay
from relance_router.deliveries.settling import Finished, store
from relance_router.domain.answers import AssignmentState, Refused
from relance_router.domain.interventions import InterventionRefused
from relance_router.domain.retry_schedule import GiveUp, Outcome
from relance_router.privacy.exporting import export
from relance_router.routing.explanations import LeadErased
from relance_router.terms.interventions import Order
from relance_sla_monitor.board.reading import read_facts

PERSON = ("Wanda", "Zwirbel", "+4915112345678", "zwirbel.example", "Waschbär", "pseudonym-of-wanda")
"""What says who she is, wherever it stands."""


def wandas(team: str = "sales") -> LeadReceived:
    """Her lead."""
    return LeadReceived(
        lead_id=LeadId(new_id()),
        source="website",
        channel="form",
        campaign="autumn",
        received_at=NOW,
        identity_key="pseudonym-of-wanda",
        person_keys=("pseudonym-of-wanda", "pseudonym-of-wandas-phone"),
        contact=Contact(name="Wanda Zwirbel", email="wanda@zwirbel.example", phone="+4915112345678"),
        fields={"team": team, "message": "My Waschbär is ill"},
    )


async def traces(database: Database) -> list[str]:
    """Columns of the router that say who she is. By case: in any, `wanda` comes in sealed text by chance."""
    columns = """
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'router' AND data_type IN ('text', 'jsonb', 'ARRAY')
    """
    found = []
    async with database.transaction() as connection:
        for table, column in (await connection.execute(text(columns))).all():
            query = text(f"SELECT count(*) FROM {table} WHERE CAST({column} AS text) ~ :person")
            if (await connection.execute(query, {"person": "|".join(PERSON).replace("+", "[+]")})).scalar_one():
                found.append(f"{table}.{column}")
    return found


@pytest.fixture
async def router(open_database: OpenDatabase) -> Router:
    """A router of the company."""
    made = Router(open_database(ROUTER))
    await made.apply(company())
    return made


def company(**sections: Any) -> str:
    """A team that goes by turns, one that is asked, and one that is not there; the company of a lead is known."""
    reps: dict[str, dict[str, Any]] = {rep: {"capacity": 3} for rep in TEAM} | {"dora": {"available": False}}
    document = yaml.safe_load(routing(Endpoints(), {"sales": TEAM, "asked": TEAM, "nobody": ["dora"]}, reps=reps))
    document["teams"][1] |= {"choose": "broadcast", "claim_within": "1h"}
    return yaml.safe_dump(document | {"stickiness": {"by": ["company"], "within": "30d"}} | sections)


Life = Callable[[Router, LeadReceived], Awaitable[None]]


async def _owner(router: Router, lead: LeadReceived) -> dict[str, Any]:
    return await router.owner(lead.lead_id)


async def acknowledged(router: Router, lead: LeadReceived) -> None:
    await router.recorder.record((await _owner(router, lead))["id"], "acknowledged", "Wanda sounds nice")


async def contacted(router: Router, lead: LeadReceived) -> None:
    await router.recorder.record((await _owner(router, lead))["id"], "contacted", "Spoke with Zwirbel")


async def declined(router: Router, lead: LeadReceived) -> None:
    await router.recorder.record(
        (await _owner(router, lead))["id"], "declined", "Wanda is my aunt", "conflict_of_interest"
    )


async def rejected(router: Router, lead: LeadReceived) -> None:
    await contacted(router, lead)
    owner = (await _owner(router, lead))["id"]
    await router.recorder.say(owner, "rejected", reason="no_budget", note="Wanda has no money")


async def accepted(router: Router, lead: LeadReceived) -> None:
    await acknowledged(router, lead)
    await router.recorder.say((await _owner(router, lead))["id"], "accepted", reason=None, note="Wanda is keen")


async def won(router: Router, lead: LeadReceived) -> None:
    await contacted(router, lead)
    await router.recorder.say((await _owner(router, lead))["id"], "won", reason=None, note="Wanda has signed")


async def ignored(router: Router, lead: LeadReceived) -> None:
    owner = await _owner(router, lead)
    await router.handle([step(owner, "notify_manager"), step(owner, "reassign")])


async def on_hold(router: Router, lead: LeadReceived) -> None:
    await router.by_hand.hold(Order(lead.lead_id, "a manager", "Wanda is on leave"), None)


async def reassigned(router: Router, lead: LeadReceived) -> None:
    owner = (await _owner(router, lead))["rep"]
    to = next(rep for rep in TEAM if rep != owner)
    await router.reassignment.reassign(Order(lead.lead_id, "a manager", f"Wanda knows {to}"), to)


async def delivered(router: Router, lead: LeadReceived) -> None:
    await router.execute(f"""
        UPDATE notifications SET state = 'failed', settled_at = now(), last_error = 'no such Wanda'
        WHERE lead_id = '{lead.lead_id}' AND state = 'pending'
    """)
    await router.execute(f"""
        INSERT INTO delivery_attempts (notification_id, replay, way, attempt, at, error, seconds, response)
        SELECT id, 0, 'webhook', 1, now(), 'no such Wanda', 0.1, 'Dear Zwirbel' FROM notifications
        WHERE lead_id = '{lead.lead_id}'
    """)


LIVES: Sequence[Life] = (
    acknowledged,
    contacted,
    declined,
    rejected,
    accepted,
    won,
    ignored,
    on_hold,
    reassigned,
    delivered,
)


async def test_whatever_has_become_of_a_lead_nothing_says_who_it_was_and_the_books_are_right(router: Router) -> None:
    """At any point of its life; also when the request is delivered again, and another one names the lead."""

    async def nothing(_: Router, __: LeadReceived) -> None:
        """Fresh, offered, or unrouted."""

    lives = {life.__name__: ("sales", life) for life in LIVES}
    lives |= {"fresh": ("sales", nothing), "offered": ("asked", nothing), "unrouted": ("nobody", nothing)}
    for name, (team, live) in lives.items():
        (lead,) = await router.route([wandas(team)])
        await live(router, lead)
        assert await traces(router.database), name
        requested = erasure(lead.lead_id)
        await router.consume([requested])
        assert await traces(router.database) == [], name
        await router.books()
        await router.consume([requested])
        await router.consume([erasure(lead.lead_id)])
        await router.books()
        open_ = "SELECT id FROM notifications WHERE lead_id = :id AND (state = 'pending' OR settled_at IS NULL)"
        assert await router.rows(open_, id=lead.lead_id) == [], name
    held = await router.rows("SELECT sum(open_leads) AS held FROM reps")
    assert held == [{"held": 0}], "nobody has an erased lead in hand"
    proofs = await router.rows(
        "SELECT CAST(payload AS jsonb) AS proof FROM outbox WHERE type LIKE '%erasure.done%' ORDER BY id"
    )
    rows = [row["proof"]["rows"]["leads"] for row in proofs]
    assert rows == [1, 0] * len(lives), "what is erased already is not counted again"


async def test_the_rep_learns_that_the_lead_was_erased_and_can_do_nothing_more(router: Router) -> None:
    """By the page and by the API, also for leads that were decided, and for offers."""
    (offered,) = await router.route([wandas("asked")])
    offers = await router.rows("SELECT id FROM offers")
    assert len(offers) == len(TEAM)
    (lead,) = await router.route([wandas()])
    await rejected(router, lead)
    owner = await _owner(router, lead)
    await router.consume([erasure(lead.lead_id, offered.lead_id)])
    for assignment in (owner, *offers):
        seen = await router.recorder.look(assignment["id"])
        assert seen.state is AssignmentState.ERASED
        assert seen.lead.contact == Contact()
        taken = await router.recorder.record(assignment["id"], "acknowledged", None)
        assert isinstance(taken.verdict, Refused)
    taken = await router.recorder.say(owner["id"], "accepted", reason=None, note=None)
    assert isinstance(taken.verdict, Refused)
    assert await router.rows("SELECT state, disposition FROM assignments") == [
        {"state": "contacted", "disposition": "rejected"}
    ], "what sales said stands"
    await router.books()


async def test_operators_are_told_that_a_lead_was_erased(router: Router) -> None:
    """It cannot be given, explained or told of again."""
    (lead,) = await router.route([wandas()])
    await delivered(router, lead)
    await router.consume([erasure(lead.lead_id)])
    with pytest.raises(InterventionRefused, match="was erased"):
        await router.reassignment.reassign(Order(lead.lead_id, "a manager", "why not"), "ben")
    with pytest.raises(LeadErased, match="was erased"):
        await router.explanations.of_lead(lead.lead_id)
    (notification,) = await router.rows("SELECT id FROM notifications")
    async with router.database.transaction() as connection:
        assert not await replay(connection, notification["id"])


async def test_a_lead_that_comes_after_its_erasure_is_neither_kept_nor_assigned(router: Router) -> None:
    """A dead letter that is put back; also in one batch with the request, whatever comes first."""
    late, together = wandas(), wandas()
    await router.consume([erasure(late.lead_id)])
    await router.consume([envelope(late)])
    await router.consume([envelope(together), erasure(together.lead_id)])
    assert await traces(router.database) == []
    assert await router.rows("SELECT id FROM assignments") == []
    await router.books()


async def test_what_is_under_way_meanwhile_leaves_no_words(router: Router) -> None:
    """A tool that echoes what it was sent does so after the erasure, too."""
    (lead,) = await router.route([wandas()])
    async with router.database.transaction() as connection:
        rooms = [Room(rep_endpoint(rep), 1) for rep in TEAM]
        (claimed,) = await claim(connection, rooms, by_email=False, batch=1, lease=timedelta(minutes=1))
    await router.consume([erasure(lead.lead_id)])
    outcome = Outcome(422, "I do not like Wanda's Waschbär", response="No Wandas here")
    logged = LoggedAttempt(claimed, Attempt("webhook", outcome), 0.1)
    async with router.database.transaction() as connection:
        await store(connection, [Finished(logged, GiveUp(outcome.error or ""), None, probe=False)], "")
    assert await traces(router.database) == []
    (attempt,) = await router.rows("SELECT status, error, response FROM delivery_attempts")
    assert attempt == {"status": 422, "error": None, "response": None}
    assert await router.rows("SELECT state FROM notifications") == [{"state": "cancelled"}]


async def test_a_rep_who_has_gone_since_and_one_who_is_full_lose_their_leads_all_the_same(router: Router) -> None:
    """Whoever the configuration no longer has is counted down, and who was full is given leads again."""
    leads = await router.route([wandas() for _ in range(3 * len(TEAM))])
    (waiting,) = await router.route([wandas()])
    await router.apply(company().replace("anna", "amelie"))
    await router.consume([erasure(*(lead.lead_id for lead in leads))])
    assert await router.rows("SELECT sum(open_leads) AS held FROM reps") == [{"held": 0}]
    router.unrouted.is_free(["sales"])
    await router.unrouted.retry()
    assert await router.owner(waiting.lead_id)
    await router.books()


async def test_what_was_known_before_is_erased_and_what_becomes_known_later_is_not_kept(router: Router) -> None:
    """Revisions, and the keys by which a person is recognised."""
    await router.apply(company(same_person={"within": "7d"}))
    (lead,) = await router.route([wandas()])
    await router.consume([envelope(revised(lead))])
    assert {"leads.person_keys", "replaced_leads.data"} <= set(await traces(router.database))
    await router.consume([erasure(lead.lead_id), envelope(revised(lead, minutes=2))])
    await router.consume([envelope(revised(lead, minutes=3))])
    assert await traces(router.database) == []
    await router.books()


async def test_who_is_not_to_be_forgotten_keeps_a_touch_of_somebody_who_is(router: Router) -> None:
    """It is a lead of its own then; and nobody joins what is erased in the same batch."""
    await router.apply(company(same_person={"within": "7d"}))
    root, touch, next_one = wandas(), wandas(), wandas()
    await router.route([root])
    await router.route([touch])
    assert await router.rows("SELECT joined FROM leads WHERE id = :id", id=touch.lead_id) == [{"joined": root.lead_id}]
    await router.consume([erasure(root.lead_id)])
    assert await router.owner(touch.lead_id)
    await router.books()
    (told,) = await router.rows("SELECT CAST(payload AS jsonb) AS data FROM outbox WHERE type LIKE '%separated%'")
    assert told["data"]["lead_id"] == str(touch.lead_id)
    await router.consume([envelope(next_one), erasure(touch.lead_id)])
    assert await router.owner(next_one.lead_id)
    await router.consume([erasure(next_one.lead_id)])
    assert await traces(router.database) == []
    await router.books()


async def test_what_the_release_before_has_written_is_counted_and_erased(router: Router) -> None:
    """It writes no columns for views while both run."""
    (lead,) = await router.route([wandas()])
    await router.execute("UPDATE leads SET source = NULL, channel = NULL, campaign = NULL, received_at = NULL")
    counted = "SELECT source, campaign, channel, received_at FROM reporting.assignments"
    before = await router.rows(counted)
    assert before == [{"source": "website", "campaign": "autumn", "channel": "form", "received_at": NOW}]
    await router.consume([erasure(lead.lead_id)])
    assert await router.rows(counted) == before, "figures stay true"
    assert await traces(router.database) == []


async def test_one_proof_is_told_per_part_with_the_rows_of_its_leads(router: Router) -> None:
    """Beside the assignment's end, in the transaction that erases."""
    mine, other = await router.route([wandas(), wandas()])
    await acknowledged(router, mine)
    first, second = erasure(mine.lead_id), erasure(other.lead_id, part=1)
    await router.consume([first, second])
    told = await router.rows(
        "SELECT aggregate_type, aggregate_id, CAST(payload AS jsonb) AS data FROM outbox ORDER BY id"
    )
    proofs = [each for each in told if each["aggregate_type"] == "leads.privacy"]
    assert [each["aggregate_id"] for each in proofs] == [_erasure(first), _erasure(second)]
    assert [each["data"]["rows"] for each in proofs] == [
        {
            "unrouted": 0,
            "replaced_leads": 0,
            "assignments": 1,
            "answers": answers,
            "dispositions": 0,
            "interventions": 0,
            "notifications": 1,
            "delivery_attempts": 0,
            "leads": 1,
        }
        for answers in (1, 0)
    ]
    ends = [each["data"] for each in told if "ended_at" in each["data"]]
    assert {end["lead_id"] for end in ends} == {str(mine.lead_id), str(other.lead_id)}


async def test_the_monitor_waits_for_nobody_any_more(router: Router, open_database: OpenDatabase) -> None:
    """Its clocks stop by what the router says, nothing falls due, and nobody has taken the lead from its rep."""
    monitor = Monitor(open_database("sla"))
    (lead,) = await router.route([wandas()])
    await router.consume([erasure(lead.lead_id)])
    rows = await router.rows("SELECT type, payload FROM outbox WHERE aggregate_type = 'leads.assignments' ORDER BY id")
    await monitor.handle(*(_event(row) for row in rows))
    clocks = await monitor.rows("SELECT stopped_by, next_due_at FROM clocks")
    assert clocks
    assert all(clock == {"stopped_by": "erased", "next_due_at": None} for clock in clocks)


async def test_nobody_waits_for_an_owner_of_an_erased_lead(router: Router, open_database: OpenDatabase) -> None:
    """Or the board would say for ever that nobody has this lead; a late word of it changes nothing."""
    monitor = Monitor(open_database("sla"))
    query = "SELECT type, payload FROM outbox WHERE aggregate_type = 'leads.assignments' ORDER BY id"
    (lead,) = await router.route([wandas("nobody")])
    for awaited in ([1], [], []):
        await monitor.handle(*(_event(row) for row in await router.rows(query)))
        waiting = (await read_facts(monitor.database, ZoneInfo("UTC"))).waiting
        assert [each.leads for each in waiting] == awaited
        await router.consume([erasure(lead.lead_id)])


async def test_all_that_is_held_of_a_lead_is_exported(router: Router) -> None:
    """With what reps said in their own words."""
    (lead,) = await router.route([wandas()])
    await rejected(router, lead)
    await delivered(router, lead)
    await reassigned(router, lead)
    (held,) = (await export(router.database, [lead.lead_id, new_id()])).leads
    assert LeadReceived.model_validate(held.data) == lead
    assert [each.words for each in held.answers] == ["Spoke with Zwirbel"]
    assert [each.words for each in held.dispositions] == ["Wanda has no money"]
    assert len(held.assignments) == 2
    assert held.interventions[0].reason.startswith("Wanda knows")
    assert held.delivery_attempts[0].response == "Dear Zwirbel"


def _erasure(requested: Envelope) -> str:
    return str(requested.data.erasure_id)  # type: ignore[attr-defined]


def _event(row: dict[str, Any]) -> EventData:
    return EVENT_TYPES[row["type"]].model_validate_json(row["payload"])
