"""From the web form to the rep's answer, through every service."""

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.system import LATE_STEPS, System, routing, running_system

from relance import tracing
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import NAMES


async def test_a_lead_is_told_to_one_rep_and_the_answer_stops_the_clock(shared_system: System) -> None:
    """The main job."""
    lead_id = await shared_system.post_lead(name="Maria Huber", phone="030 12345678", fields={"team": "sales"})
    told = await shared_system.told(lead_id)
    assert told.data["lead"]["contact"]["name"] == "Maria Huber"
    assert told.data["lead"]["contact"]["phone"] == "+493012345678"

    assert await shared_system.answer(told, "acknowledge") == (
        200,
        {"assignment_id": told.data["assignment_id"], "state": "acknowledged"},
    )
    (clock,) = await shared_system.wait_for_rows(
        "SELECT * FROM reporting.clocks WHERE lead_id = $1 AND stopped_at IS NOT NULL", lead_id
    )
    assert (clock["stopped_by"], clock["breached"], clock["rep"]) == ("acknowledged", False, told.data["rep"])
    about_it = [each for each in shared_system.endpoints.received if each.data["lead"]["lead_id"] == lead_id]
    assert [each.endpoint for each in about_it] == [f"rep:{told.data['rep']}"]


async def test_leads_take_turns_and_every_assignment_is_explained(system: System) -> None:
    """Fair, and recomputed to the same answer from what is stored (invariants 4 and 5)."""
    leads = await system.post_leads("sales", 9)
    for lead_id in leads:
        await system.told(lead_id)
    rows = await system.rows("SELECT rep FROM router.assignments", role="postgres")
    given = [row["rep"] for row in rows]
    assert abs(given.count("anna") - given.count("ben")) == 1
    for lead_id in leads:
        status, explained = await system.operate("GET", f"/v1/leads/{lead_id}/explanation")
        assert status == 200
        (decision,) = explained["decisions"]
        assert (decision["rule"], decision["configuration"]) == ("sales", 1)
        assert decision["same_when_made_again"]
        assert decision["words"][-1].startswith(f"The lead went to {decision['decision']['reps'][0]} of team sales")


async def test_a_declined_lead_goes_to_the_next_rep_and_then_stands_unrouted(shared_system: System) -> None:
    """Everybody in the team is asked once; then it is visible that nobody wants it."""
    (lead_id,) = await shared_system.post_leads("sales", 1)
    first = await shared_system.told(lead_id)
    assert await shared_system.answer(first, "decline", "not my region") == (
        200,
        {"assignment_id": first.data["assignment_id"], "state": "declined"},
    )
    second = await shared_system.told(lead_id, times=2)
    assert {first.data["rep"], second.data["rep"]} == {"anna", "ben"}
    assert second.data["ordinal"] == 2

    status, problem = await shared_system.answer(first, "acknowledge")
    assert (status, problem["title"]) == (409, "Answer refused")

    await shared_system.answer(second, "decline")
    (unrouted,) = await shared_system.wait_for_rows("SELECT * FROM reporting.unrouted WHERE lead_id = $1", lead_id)
    assert unrouted["reason"] == "everybody_available_had_it"
    clocks = await shared_system.wait_for_rows(
        "SELECT * FROM reporting.clocks WHERE lead_id = $1 AND stopped_by = 'declined'", lead_id, count=2
    )
    assert [clock["breached"] for clock in clocks] == [False, False]


async def test_an_answer_is_recorded_once_however_often_it_is_given(shared_system: System) -> None:
    """Double clicks and retries are no errors and no events."""
    (lead_id,) = await shared_system.post_leads("sales", 1)
    told = await shared_system.told(lead_id)
    answers = await asyncio.gather(*(shared_system.answer(told, "acknowledge") for _ in range(5)))
    assert [status for status, _ in answers] == [200] * 5
    assert (await shared_system.answer(told, "contacted"))[1]["state"] == "contacted"
    assert (await shared_system.answer(told, "acknowledge"))[1]["state"] == "contacted"
    recorded = await shared_system.rows(
        "SELECT answer FROM reporting.answers WHERE assignment_id = $1 ORDER BY responded_at",
        told.data["assignment_id"],
    )
    assert [row["answer"] for row in recorded] == ["acknowledged", "contacted"]


async def test_a_token_works_for_its_own_assignment_only(shared_system: System) -> None:
    """Invariant 7."""
    leads = await shared_system.post_leads("sales", 2)
    told = [await shared_system.told(lead_id) for lead_id in leads]
    stolen = {"Authorization": f"Bearer {told[0].data['answer']['token']}"}
    async with shared_system.http.post(told[1].data["answer"]["decline"], headers=stolen) as answer:
        assert answer.status == 403
    async with shared_system.http.post(told[1].data["answer"]["decline"]) as answer:
        assert (answer.status, answer.content_type) == (401, "application/problem+json")
    async with shared_system.http.post(
        told[1].data["answer"]["decline"], headers={"Authorization": "Bearer x.y"}
    ) as answer:
        assert answer.status == 401
    status, problem = await shared_system.answer(told[1], "decline", "a\x00b")
    assert (status, problem["errors"][0]["pointer"]) == (422, "/reason")
    states = await shared_system.rows("SELECT DISTINCT state FROM reporting.assignments WHERE lead_id = ANY($1)", leads)
    assert states == [{"state": "open"}]


async def test_the_answer_link_opens_a_page_whose_button_answers(shared_system: System) -> None:
    """Opening it changes nothing; pressing it does."""
    lead_id = await shared_system.post_lead(name="<b>Maria</b>", fields={"team": "sales"})
    told = await shared_system.told(lead_id)
    state = "SELECT state FROM reporting.assignments WHERE lead_id = $1"
    page = told.data["answer"]["page"]
    async with shared_system.http.get(page) as answer:
        text = await answer.text()
        assert answer.status == 200
        assert "I have it" in text
        assert "&lt;b&gt;Maria&lt;/b&gt;" in text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert await shared_system.rows(state, lead_id) == [{"state": "open"}]
    async with shared_system.http.post(page, data={"answer": "acknowledge"}) as answer:
        assert (answer.status, "You have it" in await answer.text()) == (200, True)
    assert await shared_system.rows(state, lead_id) == [{"state": "acknowledged"}]
    async with shared_system.http.get(page[:-3]) as answer:
        assert (answer.status, "damaged" in await answer.text()) == (404, True)


async def test_one_trace_goes_from_the_form_to_the_webhook(shared_system: System) -> None:
    """W3C traceparent, through HTTP, Kafka and the webhook."""
    sent = tracing.child_of(None)
    headers = {"X-API-Key": "key-of-website", "traceparent": sent}
    body = {"email": "maria@example.com", "fields": {"team": "sales"}}
    async with shared_system.http.post(shared_system.url("ingest", "/v1/leads"), json=body, headers=headers) as answer:
        lead_id = (await answer.json())["lead_id"]
    told = await shared_system.told(lead_id)
    assert tracing.trace_id(told.headers["traceparent"]) == tracing.trace_id(sent)


async def test_nobody_answers_reminder_breach_manager_and_the_next_rep(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """The whole chain, each step once; when everybody has ignored it, the last one keeps it."""
    async with running_system(real_parts, database, tmp_path) as system:
        await system.apply_routing(routing(system.endpoints, {"sales": ["anna", "ben"]}, window="2s", steps=LATE_STEPS))
        (lead_id,) = await system.post_leads("sales", 1)
        first = await system.told(lead_id)
        await system.until(lambda: len(system.endpoints.received) >= 3, "an assignment, a reminder and an escalation")
        # Not before: a reminder to whom a lead was taken from is not sent.
        await system.let_pass(timedelta(hours=2))
        second = await system.told(lead_id, times=2)
        assert first.data["rep"] != second.data["rep"]
        await system.until(lambda: len(system.endpoints.received) >= 6, "two assignments, reminders and escalations")
        await system.let_pass(timedelta(hours=2))
        steps = await system.wait_for_rows(
            "SELECT * FROM reporting.steps ORDER BY fired_at, due_at, step", count=10, seconds=60
        )
        for assignment in (first, second):
            fired = [row for row in steps if str(row["assignment_id"]) == assignment.data["assignment_id"]]
            assert sorted(row["step"] for row in fired) == ["at-risk", "breach", "manager", "reassign", "remind"]
            assert all(row["due_at"] <= row["fired_at"] for row in fired)
        told = sorted((each.endpoint, each.type) for each in system.endpoints.received)
        assert told == [
            ("manager:sales", "lead.escalated"),
            ("manager:sales", "lead.escalated"),
            ("rep:anna", "lead.assigned"),
            ("rep:anna", "lead.reminder"),
            ("rep:ben", "lead.assigned"),
            ("rep:ben", "lead.reminder"),
        ]
        (owner,) = await system.rows("SELECT rep FROM reporting.assignments WHERE ended_at IS NULL")
        assert owner["rep"] == second.data["rep"]
        clocks = await system.rows("SELECT breached FROM reporting.clocks")
        assert clocks == [{"breached": True}, {"breached": True}]

        async def counted() -> bool:
            return (
                'relance_sla_windows_breached_total{campaign="",clock="response",source="website",team="sales"} 2.0'
                in (await system.metrics("sla-monitor"))
            )

        await system.until(counted, "the breaches to be counted")


async def test_every_service_says_how_it_is(shared_system: System) -> None:
    """Alive, ready, and measured."""
    for service in NAMES:
        async with shared_system.http.get(shared_system.url(service, "/healthz")) as answer:
            assert answer.status == 200
        async with shared_system.http.get(shared_system.url(service, "/readyz")) as answer:
            assert (answer.status, (await answer.json())["ready"]) == (200, True)
        assert "relance_outbox_depth" in await shared_system.metrics(service)
