"""What was promised changes while leads are in hand: by a configuration, and by hand."""

import asyncio

from aiokafka import AIOKafkaConsumer
from tests.system import STANDARD_STEPS, System, routing
from tests.topics import from_the_beginning

from relance.events import AssignmentTermsChanged, Envelope, Topic

AGREED = """
    SELECT 1 FROM reporting.assignments a JOIN reporting.clocks c USING (assignment_id)
    WHERE c.clock = 'response' AND c.deadline = a.respond_by
"""
ORDER = {"by": "M", "reason": "a fair week"}


async def next_change(consumer: AIOKafkaConsumer) -> AssignmentTermsChanged:
    """The next one that is told."""
    async with asyncio.timeout(30):
        async for record in consumer:
            data = Envelope.from_message(record.headers, record.value).data
            if isinstance(data, AssignmentTermsChanged):
                return data
    raise AssertionError


async def test_a_shorter_window_holds_for_leads_in_hand_and_a_manager_gives_one_more_time(system: System) -> None:
    """Told on the topic, to the rep, by the page, and on record; what cannot be done is refused with its reason."""
    quiet = [step for step in STANDARD_STEPS if step["action"] == "at_risk"]
    teams = {"sales": ["anna"]}
    await system.apply_routing(routing(system.endpoints, teams, window="4h", steps=quiet))
    lead_id = await system.post_lead(fields={"team": "sales"})
    told = await system.told(lead_id)
    assignments = system.topic_prefix + Topic.ASSIGNMENTS
    async with from_the_beginning(system.broker.bootstrap_servers, assignments) as topic:
        await system.apply_routing(routing(system.endpoints, teams, window="2h", steps=quiet))
        change = await next_change(topic)
        assert (str(change.lead_id), change.because, change.revision) == (lead_id, "configuration", 1)
        assert change.response_window.total_seconds() == 7200
        view = "SELECT respond_by - assigned_at AS window FROM reporting.assignments"
        assert (await system.rows(view))[0]["window"].total_seconds() == 7200
        await system.wait_for_rows(AGREED)

        path = f"/v1/leads/{lead_id}"
        status, terms = await system.operate("POST", f"{path}/extend", {**ORDER, "by_how_long": "30m"})
        assert (status, terms["revision"], terms["on_hold"]) == (200, 2, False)
        assert (await next_change(topic)).response_window.total_seconds() == 9000
        status, problem = await system.operate(
            "POST", f"{path}/extend", {**ORDER, "clock": "contact", "by_how_long": "30m"}
        )
        assert (status, "No contact clock runs" in problem["detail"]) == (409, True)
        status, held = await system.operate("POST", f"{path}/hold", ORDER)
        assert (status, held["on_hold"], held["respond_by"]) == (200, True, None)
        assert (await system.operate("POST", f"{path}/hold", ORDER))[0] == 409
        async with system.http.get(told.data["answer"]["page"]) as page:
            content = await page.text()
        assert "On hold for now." in content
        assert "M: a fair week." in content
        assert (await system.operate("POST", f"{path}/release", ORDER))[0] == 200
        assert [(await next_change(topic)).because for _ in range(2)] == ["held", "released"]
    async with system.http.get(told.data["answer"]["page"]) as page:
        assert "left to respond" in await page.text()
    await system.wait_for_rows(AGREED)
    await system.until(lambda: len(system.endpoints.of_type("lead.changed")) == 3, "the rep to be told of each change")
    for kept in ("interventions", "explanation"):
        _, record = await system.operate("GET", f"{path}/{kept}")
        assert [each["what"] for each in record["interventions"]] == ["extended", "held", "released"]
    assert (await system.answer(told, "contacted"))[0] == 200


async def test_who_changes_terms_says_who_and_why_and_of_which_lead(system: System) -> None:
    """401, 404 and 422, each with what to mend."""
    lead_id = await system.post_lead(fields={"team": "sales"})
    await system.told(lead_id)
    path = system.url("router", f"/v1/leads/{lead_id}/hold")
    async with system.http.post(path, json=ORDER) as answer:
        assert answer.status == 401
    for name, body, pointer in (
        ("hold", {"by": "M", "reason": "  "}, "/reason"),
        ("hold", {"reason": "why"}, "/by"),
        ("hold", {**ORDER, "until": "2020-01-01T00:00:00Z"}, "/until"),
        ("hold", {**ORDER, "until": "2030-01-01T00:00:00"}, "/until"),
        ("extend", {**ORDER, "by_how_long": "0m"}, "/by_how_long"),
        ("extend", {**ORDER, "by_how_long": "4000d"}, "/by_how_long"),
        ("extend", {**ORDER, "by_how_long": "5m", "clock": "coffee"}, "/clock"),
    ):
        status, problem = await system.operate("POST", f"/v1/leads/{lead_id}/{name}", body)
        assert (status, [fault["pointer"] for fault in problem["errors"]]) == (422, [pointer])
    unknown = "/v1/leads/01890000-0000-7000-8000-000000000000"
    for method, path, order in (
        ("POST", f"{unknown}/release", ORDER),
        ("GET", f"{unknown}/interventions", None),
    ):
        status, problem = await system.operate(method, path, order)
        assert (status, problem["title"]) == (404, "No such lead")
    assert (await system.operate("GET", f"/v1/leads/{lead_id}/interventions"))[1]["interventions"] == []
