"""Promises of one person by two campaigns: through every service, to what marketing reads and what is exported."""

from typing import Any

import yaml
from tests.e2e.test_scorecards import get, get_csv, say
from tests.system import Received, System, routing

PERSON = {"name": "Zebedaeus Quuxworth", "email": "zebedaeus@quuxworth.example", "phone": "+493098765432"}
WORDS = ("zebedaeus", "quuxworth", "98765432", "xylophone")
"""What only this person has."""
TABLES = """
    SELECT table_name AS name FROM information_schema.tables
    WHERE table_schema = $1 AND table_type = 'BASE TABLE' AND table_name <> 'alembic_version'
"""


async def came_twice(system: System) -> tuple[str, str]:
    """One person by two campaigns, whom sales accepted in their own words; returns the lead and its touch."""
    content = yaml.safe_load(routing(system.endpoints, {"sales": ["anna", "ben"]}))
    await system.apply_routing(yaml.safe_dump({**content, "same_person": {"within": "7d"}}))
    message = {"fields": {"message": "My xylophone is broken."}}
    lead = await system.post_lead(source="ads", campaign="spring", company="Quuxworth Ltd", **message, **PERSON)
    told = await system.told(lead)
    touch = await system.post_lead(source="website", campaign="autumn", **message, **PERSON)
    await system.until(lambda: bool(system.endpoints.of_type("lead.touched")), "the owner to hear of the touch")
    await system.operate(
        "POST", f"/v1/leads/{lead}/extend", {"by": "M", "reason": "Quuxworth is on leave", "by_how_long": "1h"}
    )
    await say(system, told, "contacted")
    await noted(system, told, "accepted")
    return lead, touch


async def noted(system: System, told: Received, word: str) -> None:
    address = told.data["answer"]["acknowledge"].removesuffix("acknowledge") + word
    headers = {"Authorization": f"Bearer {told.data['answer']['token']}"}
    async with system.http.post(address, headers=headers, json={"note": "Zebedaeus buys a xylophone"}) as answer:
        assert answer.status == 200, await answer.text()


async def figures(system: System, by: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await get(system, f"/v1/scorecards/marketing?by={by}"))["rows"]
    return rows


async def test_both_campaigns_keep_their_credit_and_the_total_counts_one_lead(system: System) -> None:
    """Each figure leads to its leads; sales has one lead; the timeline and the export show both."""
    lead, touch = await came_twice(system)

    async def heard() -> bool:
        (total,) = await figures(system)
        return (total["figures"]["touches"], total["figures"]["accepted"]) == (1, 1)

    await system.until(heard, "the SLA monitor to have heard of the touch and the disposition")
    (total,) = await figures(system)
    assert (total["figures"]["leads"], total["figures"]["first_touch"]) == (1, 1)
    ads, website = await figures(system, "source,campaign")
    counts = ("leads", "first_touch", "touches", "accepted", "undecided")
    assert [ads["figures"][name] for name in counts] == [1, 1, 0, 1, 0]
    assert [website["figures"][name] for name in counts] == [1, 0, 1, 1, 0]
    (listed,) = (await get(system, website["leads"] + "&figure=accepted"))["leads"]
    assert (listed["lead_id"], listed["joined"], listed["campaign"]) == (touch, lead, "autumn")
    as_csv = await get_csv(system, "/v1/scorecards/marketing?by=source&format=csv")
    assert [(row["source"], row["touches"], row["accepted"]) for row in as_csv] == [
        ("ads", "0", "1"), ("website", "1", "1"),
    ]  # fmt: skip
    (sales,) = (await get(system, "/v1/scorecards/sales"))["rows"]
    assert [sales["figures"][name] for name in ("leads", "answered", "never_answered")] == [1, 1, 0]

    timeline = await get(system, f"/v1/leads/{lead}/clocks")
    assert [each["lead_id"] for each in timeline["touches"]] == [touch]
    order = {"lead_ids": [lead, touch]}
    status, held = await system.operate("POST", "/v1/exports", order, service="sla-monitor")
    assert (status, [each["lead_id"] for each in held["leads"]]) == (200, [lead, touch])
    assert held["leads"][0] == timeline


async def test_nothing_that_the_sla_monitor_stores_says_who_a_lead_is(system: System) -> None:
    """Every column of every row, after a person with a name like nobody else's; the others' tables do say it."""
    lead, touch = await came_twice(system)
    await system.wait_for_rows("SELECT 1 FROM reporting.scorecard_credits WHERE disposition = 'accepted'", count=2)
    assert await saying(system, "ingest") >= {"leads"}
    assert await saying(system, "router") >= {"leads", "dispositions", "interventions"}
    assert await saying(system, "sla") == set()
    _, held = await system.operate("POST", "/v1/exports", {"lead_ids": [lead, touch]}, service="sla-monitor")
    assert not any(word in str(held).lower() for word in WORDS)


async def saying(system: System, schema: str) -> set[str]:
    """Tables of which a row, as text, has one of the words."""
    found = set()
    for table in await system.rows(TABLES, schema, role=schema):
        query = f"SELECT 1 FROM {schema}.{table['name']} AS each WHERE lower(each::text) ~ $1 LIMIT 1"
        if await system.rows(query, "|".join(WORDS), role=schema):
            found.add(table["name"])
    return found
