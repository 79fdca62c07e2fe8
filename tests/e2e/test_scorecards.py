"""Promises of scorecards over HTTP: from a form to the figure that both sides read, and back to the lead."""

import asyncio
import csv
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.system import OPERATOR_TOKEN, REPORTS_TOKEN, Received, System

OPERATOR = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}


async def get(system: System, path: str) -> dict[str, Any]:
    async with system.http.get(system.url("sla-monitor", path), headers=OPERATOR) as answer:
        assert answer.status == 200, await answer.text()
        body: dict[str, Any] = await answer.json()
        return body


async def get_csv(system: System, path: str, headers: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """The rows of every page."""
    async with system.http.get(system.url("sla-monitor", path), headers={**OPERATOR, **(headers or {})}) as answer:
        assert (answer.status, answer.content_type) == (200, "text/csv")
        rows = list(csv.DictReader(io.StringIO(await answer.text(), newline=""), strict=True))
        following = re.fullmatch(r'<(.*)>; rel="next"', answer.headers.get("Link", ""))
        return [*rows, *(await get_csv(system, following[1], headers))] if following else rows


async def post(system: System, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with system.http.post(system.url("sla-monitor", path), headers=OPERATOR, **body) as answer:
        return answer.status, await answer.json()


async def say(system: System, received: Received, *words: str, reason: str | None = None) -> None:
    """Answer with each word; with the reason where it is a rejection."""
    for word in words:
        ways = received.data["answer"]
        address = ways["acknowledge"].removesuffix("acknowledge") + word
        body = {"reason": reason} if word == "rejected" else None
        headers = {"Authorization": f"Bearer {ways['token']}"}
        async with system.http.post(address, headers=headers, json=body) as answer:
            assert answer.status == 200, await answer.text()


async def test_both_sides_read_what_became_of_the_leads(system: System) -> None:
    """Traffic, answers and dispositions; both scorecards as JSON and CSV; each figure leads to its leads."""
    leads = {
        name: await system.post_lead(source=source, campaign=campaign, fields={"team": "sales"})
        for name, source, campaign in (
            ("won", "ads", "spring"), ("rejected", "ads", "spring"), ("open", "ads", "=1+1"),
            ("plain", "website", None),
        )
    }  # fmt: skip
    told = {name: await system.told(lead_id) for name, lead_id in leads.items()}
    await say(system, told["won"], "contacted", "accepted", "won")
    await say(system, told["rejected"], "acknowledge", "rejected", reason="spam")
    await say(system, told["plain"], "contacted", "accepted")
    month = datetime.now(UTC).strftime("%Y-%m")
    spent = f"source,campaign,month,amount,currency\nads,spring,{month},3100.00,EUR\n"
    assert await post(system, "/v1/spend/import", data=spent) == (200, {"stored": 1})
    spend = {"source": "website", "month": month, "amount": "620.00", "currency": "EUR"}
    assert await post(system, "/v1/spend", json=spend) == (200, {"stored": 1})

    async def heard() -> bool:
        (total,) = (await get(system, "/v1/scorecards/marketing"))["rows"]
        (answered,) = (await get(system, "/v1/scorecards/sales"))["rows"]
        figures = total["figures"]
        return (figures["accepted"], figures["rejected"], answered["figures"]["answered"]) == (2, 1, 3)

    await system.until(heard, "the SLA monitor to have heard of every answer")

    sales = (await get(system, "/v1/scorecards/sales?by=source,campaign"))["rows"]
    assert [(row["group"], row["figures"]["given"], row["figures"]["in_window"]) for row in sales] == [
        ({"source": "ads", "campaign": "=1+1"}, 1, 0),
        ({"source": "ads", "campaign": "spring"}, 2, 2),
        ({"source": "website", "campaign": None}, 1, 1),
    ]
    page = await get(system, sales[1]["leads"] + "&limit=1")
    rest = await get(system, page["next"])
    assert [lead["lead_id"] for lead in (*page["leads"], *rest["leads"])] == [leads["won"], leads["rejected"]]
    assert rest["next"] is None
    assert (
        sales[1]["figures"]["response_seconds_median"]
        == (page["leads"][0]["response_seconds"] + rest["leads"][0]["response_seconds"]) / 2
    )
    none = await get(system, sales[2]["leads"])
    assert [lead["lead_id"] for lead in none["leads"]] == [leads["plain"]]

    marketing = (await get(system, "/v1/scorecards/marketing?by=source"))["rows"]
    ads = marketing[0]["figures"]
    assert (ads["accepted"], ads["rejected"], ads["rejected_spam"], ads["won"], ads["undecided"]) == (1, 1, 1, 1, 1)
    assert ads["acceptance_rate"] == 0.5
    assert ads["cost_per_won"] == ads["spent"]
    rejected = await get(system, marketing[0]["leads"] + "&figure=rejected_spam")
    assert [lead["lead_id"] for lead in rejected["leads"]] == [leads["rejected"]]

    by_rep = await get(system, "/v1/scorecards/sales?by=rep")
    assert by_rep["per"] == "assignment"
    assert [(row["group"]["rep"], row["figures"]["given"]) for row in by_rep["rows"]] == [("anna", 2), ("ben", 2)]

    as_csv = await get_csv(system, "/v1/scorecards/sales?by=campaign,source", {"Accept": "text/csv"})
    assert [(row["campaign"], row["source"], row["given"]) for row in as_csv] == [
        ("'=1+1", "ads", "1"), ("spring", "ads", "2"), ("", "website", "1"),
    ]  # fmt: skip
    worth = await get_csv(system, "/v1/scorecards/marketing?by=source&format=csv")
    assert [(row["source"], row["accepted"], row["spent"]) for row in worth] == [
        (row["group"]["source"], str(row["figures"]["accepted"]), row["figures"]["spent"]) for row in marketing
    ]
    for query, headers in (("&format=csv", {}), ("", {"Accept": "text/csv"})):
        assert await get_csv(system, sales[1]["leads"] + "&limit=1" + query, headers) == [
            {name: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
             for name, value in lead.items()}
            for lead in (*page["leads"], *rest["leads"])
        ]  # fmt: skip
    (formula,) = await get_csv(system, sales[0]["leads"] + "&format=csv")
    assert formula["campaign"] == "'=1+1"
    facts = await system.rows("SELECT lead_id, disposition FROM reporting.scorecard_leads ORDER BY lead_id")
    assert [(str(row["lead_id"]), row["disposition"]) for row in facts] == [
        (leads["won"], "won"), (leads["rejected"], "rejected"), (leads["open"], None), (leads["plain"], "accepted"),
    ]  # fmt: skip


async def test_only_who_has_a_token_reads_scorecards_and_whoever_asks_wrongly_is_told_what_to_ask(
    system: System,
) -> None:
    """401 and 422 as problems. The token of reports reads these, and changes nothing."""
    reports = {"Authorization": f"Bearer {REPORTS_TOKEN}"}
    async with system.http.get(system.url("sla-monitor", "/v1/scorecards/sales"), headers=reports) as answer:
        assert answer.status == 200
    for method, path in (("POST", "/v1/exports"), ("POST", "/v1/spend/import"), ("DELETE", "/v1/spend/1")):
        async with system.http.request(method, system.url("sla-monitor", path), headers=reports) as answer:
            assert answer.status == 401
    paths = (
        "/v1/scorecards/sales",
        "/v1/scorecards/marketing",
        "/v1/scorecards/leads",
        "/v1/spend",
        "/v1/spend/import",
    )
    for path in paths:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            method = "POST" if "spend" in path else "GET"
            async with system.http.request(method, system.url("sla-monitor", path), headers=headers) as answer:
                assert (answer.status, answer.content_type) == (401, "application/problem+json")
    for path, pointer in (
        ("/v1/scorecards/sales?by=colour", "query/by"),
        ("/v1/scorecards/sales?week=48", "query/week"),
        ("/v1/scorecards/sales?source=%00", "query/source"),
        ("/v1/scorecards/sales?until=0001-01-01", "query/until"),
        ("/v1/scorecards/sales?since=2025-01-02&until=2025-01-02", "query/until"),
        ("/v1/scorecards/leads?figure=happy", "query/figure"),
        ("/v1/scorecards/leads?after=there", "query/after"),
        ("/v1/scorecards/leads?after=019ab000-0000-7000-8000-000000000000.99999999999", "query/after"),
    ):
        async with system.http.get(system.url("sla-monitor", path), headers=OPERATOR) as answer:
            assert (answer.status, (await answer.json())["errors"][0]["pointer"]) == (422, pointer)
    for days in ({"month": "0000-01"}, {"from": "0001-01-01", "until": "0001-02-01"}, {}):
        status, problem = await post(
            system, "/v1/spend", json={"source": "ads", **days, "amount": 1, "currency": "EUR"}
        )
        assert (status, problem["title"]) == (422, "Invalid fields")
    status, problem = await post(system, "/v1/spend/import", data="source,month,amount,currency\nads,1,1,EUR\n")
    assert (status, problem["errors"][0]["pointer"], problem["errors"][0]["line"]) == (422, "/month", 2)
    async with system.http.get(system.url("sla-monitor", "/openapi.json")) as answer:
        assert answer.status == 200


async def test_timers_wait_for_nobody_who_reads_reports(system: System) -> None:
    """More slow reports than the monitor has connections: what falls due meanwhile is told."""
    lead_id = await system.post_lead(fields={"team": "sales"})
    await system.told(lead_id)
    await system.wait_for_rows("SELECT 1 FROM reporting.clocks", count=1)
    slow = await system.server.connect(system.database)
    # What reports read and timers do not: each takes as long as this is locked.
    await slow.execute("BEGIN; LOCK TABLE sla.dispositions IN ACCESS EXCLUSIVE MODE")
    reports = [asyncio.create_task(get(system, "/v1/scorecards/sales")) for _ in range(12)]
    try:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"

        async def as_many_as_may() -> bool:
            return bool(await slow.fetchval(waiting) == 3)

        await system.until(as_many_as_may, "reports to wait on every connection that they have")
        await system.let_pass(timedelta(seconds=31))

        def reminded() -> bool:
            return lead_id in [each.data["lead_id"] for each in system.endpoints.of_type("lead.reminder")]

        await system.until(reminded, "the rep to be reminded")
    finally:
        await slow.close()
    await asyncio.gather(*reports)
