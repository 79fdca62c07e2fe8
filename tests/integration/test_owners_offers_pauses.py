"""Promises about who comes before anybody's turn, who is asked, and who takes no leads, on the real database."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from sqlalchemy.exc import ProgrammingError
from tests.integration.conftest import OpenDatabase
from tests.integration.events import envelope, lead
from tests.integration.router_harness import TEAM, Router, step
from tests.system import Endpoints, routing

from relance_local.services import ROUTER
from relance_router.domain.answers import AssignmentState, Recorded, Refused
from relance_router.routing.leads import lock_lead
from relance_router.routing.requests import Cause


def company(team: dict[str, Any] | None = None, **sections: Any) -> str:
    """The team of three, with something special about it."""
    document = yaml.safe_load(routing(Endpoints(), {"sales": TEAM}))
    document["teams"][0] |= team or {}
    return yaml.safe_dump(document | sections)


@pytest.fixture
async def router(open_database: OpenDatabase) -> Router:
    """A router."""
    return Router(open_database(ROUTER))


async def owners(router: Router) -> list[str]:
    rows = await router.rows("SELECT rep FROM assignments WHERE ended_at IS NULL ORDER BY id")
    return [row["rep"] for row in rows]


async def test_a_person_and_a_company_stay_with_their_rep_while_that_rep_is_there(router: Router) -> None:
    """Across batches and within one; a decline ends it."""
    await router.apply(company(stickiness={"by": ["person", "company"]}))
    await router.route([lead(identity="maria", email="maria@acme.example")])
    (first,) = await owners(router)
    others = [lead(identity=f"somebody {place}", email=f"x{place}@other{place}.example") for place in range(2)]
    await router.route([*others, lead(identity="maria"), lead(identity="jo", email="jo@acme.example")])
    assert (await owners(router))[3:] == [first, first]
    await router.people.pause(first, because="on holiday", by="a test")
    (moved,) = await router.route([lead(identity="maria")])
    owner = await router.owner(moved.lead_id)
    assert owner["rep"] != first
    (decision,) = await router.explanations.of_lead(moved.lead_id)
    assert any("had this person's last lead: paused: on holiday" in words for words in decision.explanation.words)
    await router.books()


async def test_people_of_a_public_mail_provider_are_no_company(router: Router) -> None:
    """They would all follow the first of them."""
    await router.apply(company(stickiness={"by": ["company"]}))
    await router.route([lead(identity=f"p{place}", email=f"p{place}@gmail.com") for place in range(9)])
    assert sorted(Counter(await owners(router)).values()) == [3, 3, 3]


async def test_a_named_account_goes_to_its_owner(router: Router) -> None:
    """With its subdomains, and its leads count towards the owner's share."""
    await router.apply(company(accounts=[{"id": "acme", "owner": "ben", "domains": ["acme.example"]}]))
    await router.route(
        [lead(email="a@acme.example"), lead(email="b@shop.acme.example"), lead(), lead(), lead(), lead()]
    )
    assert (await owners(router))[:2] == ["ben", "ben"]
    assert sorted(Counter(await owners(router)).items()) == [("anna", 2), ("ben", 2), ("chloe", 2)]
    await router.books()


async def offer(router: Router) -> dict[str, Any]:
    """A lead that is offered to everybody; the offers by rep."""
    await router.apply(company({"choose": "broadcast", "claim_within": "1h"}))
    await router.leads(1)
    rows = await router.rows("SELECT * FROM offers")
    assert {row["rep"] for row in rows} == set(TEAM)
    return {row["rep"]: row for row in rows}


async def test_of_all_who_claim_at_once_exactly_one_gets_the_lead(router: Router) -> None:
    """The others are told that somebody was faster, and the lead no longer stands."""
    offers = await offer(router)
    assert await router.rows("SELECT reason FROM unrouted") == [{"reason": "offered"}]
    taken = await asyncio.gather(
        *(router.recorder.record(offers[rep]["id"], "acknowledged", None) for rep in TEAM for _ in range(3))
    )
    won = [each for each in taken if isinstance(each.verdict, Recorded)]
    assert len(won) == 1
    (owner,) = await router.rows("SELECT id, rep, state, weight FROM assignments")
    assert owner["id"] == offers[owner["rep"]]["id"]
    assert (owner["state"], owner["weight"]) == ("acknowledged", 1)
    assert [each.verdict.reason for each in taken if isinstance(each.verdict, Refused)] == [
        "Somebody else has claimed this lead."
    ] * 6
    told = Counter(row["type"] for row in await router.rows("SELECT type FROM notifications"))
    assert told == {"lead.offered": 3, "lead.taken": 2}
    kinds = {row["type"] for row in await router.rows("SELECT type FROM outbox")}
    assert kinds >= {"relance.assignment.made.v1", "relance.response.recorded.v1"}
    (decision,) = await router.explanations.of_lead(offers["anna"]["lead_id"])
    assert decision.explanation.words[-1] == f"{owner['rep']} was the first to claim it."
    loser = next(rep for rep in TEAM if rep != owner["rep"])
    assert (await router.recorder.look(offers[loser]["id"])).state is AssignmentState.TAKEN
    await router.books()


async def test_an_offer_that_nobody_claims_goes_by_turns(router: Router) -> None:
    """When its time is over; a claim that comes later is refused."""
    offers = await offer(router)
    await router.unrouted.retry()
    assert await router.rows("SELECT 1 FROM assignments") == [], "its time is not over"
    await router.rows("UPDATE unrouted SET until = now() RETURNING 1")
    await router.unrouted.retry()
    (owner,) = await router.rows("SELECT rep FROM assignments")
    late = await router.recorder.record(offers["ben"]["id"], "acknowledged", None)
    assert isinstance(late.verdict, Refused)
    assert (await router.recorder.look(offers["ben"]["id"])).state is AssignmentState.EXPIRED
    (decision,) = await router.explanations.of_lead(offers["anna"]["lead_id"])
    assert decision.explanation.words[-1] == (
        f"The lead went to {owner['rep']} of team sales: your turn in team sales, as nobody claimed it."
    )
    await router.books()


async def test_who_declined_an_offer_gets_the_lead_only_when_everybody_did(router: Router) -> None:
    """Not wanting it is no reason to get it before those who were only slow."""
    offers = await offer(router)
    for rep in TEAM[:2]:
        await router.recorder.record(offers[rep]["id"], "declined", None, "no_time")
    await router.execute("UPDATE unrouted SET until = now()")
    await router.unrouted.retry()
    assert await owners(router) == [TEAM[2]]
    (decision,) = await router.explanations.of_lead(offers["anna"]["lead_id"])
    reasons = {each.rep: each.reason for each in decision.explanation.candidates if not each.chosen}
    assert reasons == dict.fromkeys(TEAM[:2], "declined the offer")
    await router.books()


async def test_when_all_who_were_asked_decline_the_lead_goes_by_turns_at_once(router: Router) -> None:
    """Nobody waits for an hour that nobody wants."""
    offers = await offer(router)
    for rep in TEAM:
        assert await router.rows("SELECT 1 FROM assignments") == []
        await router.recorder.record(offers[rep]["id"], "declined", None, "no_time")
    assert len(await router.rows("SELECT 1 FROM assignments")) == 1
    await router.books()


async def test_who_ignores_leads_in_a_row_is_paused_until_resumed_and_the_manager_hears_of_it(router: Router) -> None:
    """An answer in between starts the count anew."""
    await router.apply(company({"pause_after_ignored": 2, "members": [{"rep": "anna"}, {"rep": "ben"}]}))

    async def given_to_anna() -> dict[str, Any]:
        await router.leads(2)
        mine = "SELECT * FROM assignments WHERE rep = 'anna' AND state = 'open' ORDER BY id DESC LIMIT 1"
        return (await router.rows(mine))[0]

    await router.handle([step(await given_to_anna(), "reassign")])
    await router.recorder.record((await given_to_anna())["id"], "acknowledged", None)
    await router.handle([step(await given_to_anna(), "reassign")])
    assert await router.rows("SELECT rep FROM pauses") == []
    await router.handle([step(await given_to_anna(), "reassign")])
    (pause,) = await router.rows("SELECT rep, because, paused_by FROM pauses")
    assert pause == {"rep": "anna", "because": "ignored 2 leads in a row", "paused_by": "relance"}
    before = await router.rows("SELECT 1 FROM assignments WHERE rep = 'anna'")
    await router.leads(4)
    assert await router.rows("SELECT 1 FROM assignments WHERE rep = 'anna'") == before
    told = await router.rows("SELECT endpoint FROM notifications WHERE type = 'rep.paused' ORDER BY endpoint")
    assert [row["endpoint"] for row in told] == ["manager:sales", "rep:anna"]
    await router.people.resume("anna", by="the boss")
    await given_to_anna()
    await router.books()


async def test_a_reassignment_that_finds_nobody_is_tried_again_and_counts_as_ignored_once(router: Router) -> None:
    """Whoever is back takes the lead; the rep who had it ignored one lead, however often another was looked for."""
    await router.apply(company({"pause_after_ignored": 2, "members": [{"rep": "anna"}, {"rep": "ben"}]}))
    await router.people.pause("ben", because="ill", by="the boss")
    (given,) = await router.leads(1)
    owner = await router.owner(given.lead_id)
    for occurrence in (1, 2):
        await router.handle([step(owner, "reassign", occurrence=occurrence)])
    assert await owners(router) == ["anna"]
    await router.people.resume("ben", by="the boss")
    await router.handle([step(owner, "reassign", occurrence=3)])
    assert await owners(router) == ["ben"]
    assert await router.rows("SELECT rep FROM pauses WHERE resumed_at IS NULL") == []
    await router.books()


async def test_a_paused_rep_gets_no_lead_and_resumed_gets_them_again(router: Router) -> None:
    """By hand; told to the rep and the manager, once."""
    await router.apply(company())
    await router.people.pause("anna", because="ill", by="the boss")
    paused = await router.people.pause("anna", because="once more", by="the boss")
    assert (paused.absence, paused.paused) == ("paused: ill", "ill")
    await router.leads(4)
    assert set(await owners(router)) == {"ben", "chloe"}
    resumed = await router.people.resume("anna", by="the boss")
    assert resumed.absence is None
    await router.leads(3)
    assert "anna" in (await owners(router))[4:]
    told = await router.rows("SELECT type, endpoint FROM notifications WHERE type LIKE 'rep.%' ORDER BY id")
    assert [(row["type"], row["endpoint"]) for row in told] == [
        ("rep.paused", "rep:anna"),
        ("rep.paused", "manager:sales"),
        ("rep.resumed", "rep:anna"),
        ("rep.resumed", "manager:sales"),
    ]
    await router.books()


async def test_a_lead_that_stood_unrouted_first_counts_in_the_time_from_receipt_to_assignment(router: Router) -> None:
    """Those who waited all night are leads, too; whoever has one already does not count again."""

    def counted() -> float:
        return REGISTRY.get_sample_value("relance_router_receipt_to_assignment_seconds_count") or 0

    await router.apply(routing(Endpoints(), {"sales": ["anna", "ben"]}))
    for rep in ("anna", "ben"):
        await router.people.pause(rep, because="lunch", by="a test")
    (lead,) = await router.leads(1)
    before = counted()
    await router.people.resume("anna", by="a test")
    router.unrouted.is_free(["sales"])
    await router.unrouted.retry()
    given = await router.owner(lead.lead_id)
    assert (given["rep"], counted()) == ("anna", before + 1)
    await router.people.resume("ben", by="a test")
    await router.recorder.record(given["id"], "declined", None)
    assert ((await router.owner(lead.lead_id))["rep"], counted()) == ("ben", before + 1)


async def test_a_try_that_fails_forgets_nobody_who_is_free(router: Router) -> None:
    """The lead goes out at the next try, and not minutes later."""
    document = yaml.safe_load(company({"members": [{"rep": "anna"}]}))
    document["reps"][0]["capacity"] = 1
    await router.apply(yaml.safe_dump(document))
    await router.leads(2)
    (given,) = await router.rows("SELECT id FROM assignments")
    await router.recorder.record(given["id"], "contacted", None)
    router.unrouted.is_free(["sales"])
    await router.execute("ALTER TABLE reps RENAME TO reps_away")
    with pytest.raises(ProgrammingError):
        await router.unrouted.retry()
    await router.execute("ALTER TABLE reps_away RENAME TO reps")
    await router.execute("UPDATE unrouted SET tried_at = now(), since = now()")  # no patience is over yet
    await router.unrouted.retry()
    assert await owners(router) == ["anna", "anna"]


async def test_a_lead_that_another_replica_has_in_hand_is_looked_at_later(router: Router) -> None:
    """Its time has come, but asking for it again and again would help nobody."""
    (one, *_) = (await offer(router)).values()
    await router.execute("UPDATE unrouted SET until = now()")
    async with router.database.transaction() as connection:
        await lock_lead(connection, one["lead_id"], Cause.CLAIMED)
        assert await router.unrouted.retry() > timedelta()


async def test_limits_by_the_hour_and_the_day_hold_across_batches(router: Router) -> None:
    """What was declined used up nothing."""
    document = yaml.safe_load(company())
    document["reps"][0]["capacity"] = {"per_hour": 2, "per_day": 3}
    document["teams"][0]["members"] = [{"rep": "anna"}]
    await router.apply(yaml.safe_dump(document))
    for _ in range(3):
        await router.leads(1)
    assert len(await owners(router)) == 2
    await router.rows("UPDATE assignments SET assigned_at = assigned_at - interval '61 minutes' RETURNING 1")
    await router.unrouted.retry()
    router.unrouted.is_free(["sales"])
    await router.unrouted.retry()
    expected = 3
    assert len(await owners(router)) == expected
    await router.books()


async def test_batches_that_share_reps_between_teams_never_overrun_a_capacity(
    router: Router, open_database: OpenDatabase
) -> None:
    """Two teams of the same people, forty transactions side by side."""
    reps = {rep: {"capacity": 10} for rep in TEAM}
    await router.apply(routing(Endpoints(), {"sales": TEAM, "more": TEAM}, reps=reps))
    routers = [router, Router(open_database(ROUTER))]
    await asyncio.gather(
        *(each.handle([envelope(lead(team=team))]) for each in routers for team in ("sales", "more") for _ in range(10))
    )
    assert Counter(await owners(router)) == {"anna": 10, "ben": 10, "chloe": 10}
    await router.books()


async def test_of_many_leads_that_wait_all_are_tried_when_somebody_is_free(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch by batch, each once: those that nobody can take do not stand in the way of the rest."""
    monkeypatch.setattr("relance_router.routing.unrouted.BATCH", 4)
    document = yaml.safe_load(company())
    document["reps"] = [{**rep, "skills": ["solar"] if rep["id"] == "anna" else []} for rep in document["reps"]]
    document["rules"][0]["require"] = {"skills": ["solar"]}
    await router.apply(yaml.safe_dump(document))
    for rep in TEAM:
        await router.people.pause(rep, because="ill", by="a test")
    await router.leads(10)
    await router.route([lead(team="nobody asks for skills")])
    await router.rows("UPDATE unrouted SET tried_at = now() RETURNING 1")
    await router.people.resume("ben", by="a test")
    router.unrouted.is_free(["sales"])
    turns = 0
    while not await owners(router):
        assert (turns := turns + 1) <= 3, "ten leads that ben may not have come before his, four at a time"
        await router.unrouted.retry()
    assert await owners(router) == ["ben"]
