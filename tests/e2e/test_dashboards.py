"""Every panel of every dashboard, asked of a real Prometheus and a real PostgreSQL after traffic of every kind."""

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import yaml
from tests.partner_requests import PARTNERS
from tests.prometheus import Prometheus, any_finite, dashboards, expanded, filled_in, panels, running_prometheus
from tests.system import KEYS, OPERATOR_TOKEN, STANDARD_STEPS, Received, System, routing, running_system

from relance_local.broker import Broker
from relance_local.conditions import NotInTime, free_port
from relance_local.database_server import DatabaseServer
from relance_local.services import NAMES

TEAMS = {"dach": ["anna", "ben"], "world": ["chloe"]}
SOURCES: dict[str, dict[str, Any]] = {
    "website": {"thanks_url": None, "spam": {"honeypot": "website_url"}},
    "google_ads": {"partner": {"kind": "google_ads", "secret_from": "RELANCE_PARTNER"}},
    "meta": {
        "partner": {
            "kind": "meta",
            **{f"{name}_from": "RELANCE_PARTNER" for name in ("secret", "verify_token", "access_token")},
        }
    },
}
PARTNER_SECRET = "a secret of partners"
EVERY_SOURCE = {"website", "ads", "phone", "radio", "google_ads"}
"""By phone only touches come, and on radio only money is spent."""


async def say(system: System, told: Received, answer: str, **body: str) -> None:
    """Answer, or say what a lead was worth; it must be taken."""
    ways = told.data["answer"]
    headers = {"Authorization": f"Bearer {ways['token']}"}
    url = system.url("router", f"/v1/assignments/{told.data['assignment_id']}/{answer}")
    async with system.http.post(url, headers=headers, json=body) as response:
        assert response.status == 200, await response.text()


async def traffic(system: System) -> None:
    """Answered, declined, ignored until a manager hears of it; every disposition; again; refused; spam; partners."""
    posted = [
        await system.post_lead(
            source=source, campaign="spring" if source == "ads" else None, fields={"team": team}, name="Maria Huber"
        )
        for source in ("website", "ads")
        for team in TEAMS
        for _ in range(3)
    ]
    *told, _ignored = await asyncio.gather(*(system.told(lead_id) for lead_id in posted))
    for each in told:
        await say(system, each, "contacted")
    await say(system, told[0], "accepted")
    await say(system, told[0], "won")
    await say(system, told[1], "rejected", reason="spam")
    spend = {"source": "radio", "month": f"{datetime.now(UTC):%Y-%m}", "amount": "310", "currency": "EUR"}
    async with system.http.post(
        system.url("sla-monitor", "/v1/spend"), headers={"Authorization": f"Bearer {OPERATOR_TOKEN}"}, json=spend
    ) as spent:
        assert spent.status == 200
    person = f"{uuid.uuid4().hex}@example.com"
    await system.told(await system.post_lead(email=person, fields={"team": "world"}))
    again = await system.post_lead(source="phone", email=person)
    credits_of = "SELECT 1 FROM reporting.scorecard_credits WHERE joined IS NOT NULL AND lead_id = $1"
    await system.wait_for_rows(credits_of, again)
    declined = await system.told(await system.post_lead(fields={"team": "world"}))
    await say(system, declined, "decline", reason="not my region")
    form = {"_key": KEYS["website"], "email": "maria@example.com", "website_url": "x"}
    async with system.http.post(system.url("ingest", "/v1/forms/website"), data=form) as spam:
        assert spam.status < 400
    await from_partners(system)
    async with system.http.post(system.url("ingest", "/v1/leads"), json={}) as refused:
        assert refused.status == 401
    await system.wait_for_rows("SELECT 1 FROM reporting.unrouted WHERE lead_id = $1", declined.data["lead"]["lead_id"])


async def test_every_panel_has_data_after_traffic(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """PromQL with Grafana's variables filled in; SQL as the role that Grafana has."""
    nowhere = f"http://127.0.0.1:{free_port()}/"
    environment = {"PARTNER": PARTNER_SECRET, "META_GRAPH_URL": nowhere}
    async with running_system(
        real_parts, database, tmp_path, teams=TEAMS, sources=SOURCES, environment=environment
    ) as system:
        # Without the reassignment: on a slow machine it would come before the answers.
        document = yaml.safe_load(routing(system.endpoints, TEAMS, window="2s", steps=STANDARD_STEPS[:-1]))
        await system.apply_routing(yaml.safe_dump({**document, "same_person": {"within": "1h"}}))
        targets = {name: urlsplit(system.services.url(name)).netloc for name in NAMES}
        async with running_prometheus(tmp_path, targets, system.http) as prometheus:
            await system.until(lambda: _equal(prometheus, "sum(up)", len(targets)), "Prometheus to reach every service")
            system.endpoints.answers_with["manager:world"] = 410
            await traffic(system)
            await _counted(system, prometheus)
            # Again, so that series that began with the first have risen since.
            await traffic(system)
            await _counted(system, prometheus)
            empty: dict[str, str] = {}

            async def all_full() -> bool:
                # A scrape that was not answered in time leaves a gap until the next one.
                empty.clear()
                empty.update(await _empty_panels(system, prometheus))
                return not empty

            with suppress(NotInTime):
                await system.until(all_full, "every panel to have data")
    assert empty == {}


async def from_partners(system: System) -> None:
    """A lead, a test, what cannot be read, what is not signed, and the id of a lead that nobody can fetch."""
    google, meta = PARTNERS["google_ads"], PARTNERS["meta"]
    signed = {"google_key": PARTNER_SECRET}
    for sample, body, status in (
        (google, google.changed(**signed, lead_id=uuid.uuid4().hex), 200),
        (google, google.changed(**signed, is_test=True), 200),
        (google, google.changed(**signed, lead_id=None), 422),
        (google, google.changed(google_key="another"), 401),
        (meta, meta.body, 200),
    ):
        headers = {"Content-Type": sample.content_type, **sample.sign(PARTNER_SECRET, body, "", datetime.now(UTC))}
        url = system.url("ingest", f"/v1/partners/{sample.kind}")
        async with system.http.post(url, data=body, headers=headers) as answer:
            assert answer.status == status, await answer.text()


async def _equal(prometheus: Prometheus, expression: str, value: float) -> bool:
    return await prometheus.now(expression) == [value]


async def _any(prometheus: Prometheus, expression: str) -> bool:
    return bool(await prometheus.now(expression))


async def _counted(system: System, prometheus: Prometheus) -> None:
    """Wait until Prometheus has what the database has."""
    for query, expression in (
        ("SELECT count(*) FROM reporting.clocks WHERE clock = 'response'", "sum(relance_sla_clocks_started_total)"),
        ("SELECT count(*) FROM reporting.clocks WHERE breached", _BREACHED),
        ("SELECT count(*) FROM reporting.steps WHERE action = 'notify_manager'", f"sum({_STEPS})"),
        ("SELECT count(*) FROM reporting.unrouted", "sum(relance_router_unrouted_leads)"),
    ):

        async def same(query: str = query, expression: str = expression) -> bool:
            (row,) = await system.rows(query)
            return row["count"] > 0 and await _equal(prometheus, expression, row["count"])

        await system.until(same, f"{expression} to be what the database says")
    await system.until(lambda: _any(prometheus, "relance_ingest_retrieved_total"), "a lead to be asked for")
    await system.until(
        lambda: _equal(prometheus, 'relance_router_endpoints_unwell{state="disabled"}', 1),
        "the endpoint to be disabled",
    )


# An answer that came in time and was heard of after the deadline has taken its breach back.
_BREACHED = "sum(relance_sla_windows_breached_total) - sum(relance_sla_breaches_withdrawn_total)"
_STEPS = 'relance_sla_steps_total{action="notify_manager"}'


async def _empty_panels(system: System, prometheus: Prometheus) -> dict[str, str]:
    """Panels of which a query gives nothing, with that query."""
    connection = await system.server.connect(system.database, "reporting")
    try:
        variables = {
            variable["name"]: await _choices(variable, prometheus, connection)
            for dashboard in dashboards().values()
            for variable in dashboard["templating"]["list"]
        }
        assert set(variables["team"]) == set(TEAMS)
        assert set(variables["source"]) == EVERY_SOURCE
        return {
            f"{name}: {panel['title']}": query
            for name, dashboard in dashboards().items()
            for panel in panels(dashboard)
            for target in panel["targets"]
            for query, found in [await _asked(target, panel, variables, prometheus, connection)]
            if not found
        }
    finally:
        await connection.close()


async def _choices(variable: dict[str, Any], prometheus: Prometheus, connection: asyncpg.Connection) -> list[str]:
    if variable["datasource"]["type"] == "prometheus":
        return await prometheus.choices(variable["query"])
    return [value for (value,) in await connection.fetch(variable["query"])]


async def _asked(
    target: dict[str, Any],
    panel: dict[str, Any],
    variables: Mapping[str, list[str]],
    prometheus: Prometheus,
    connection: asyncpg.Connection,
) -> tuple[str, bool]:
    if "rawSql" in target:
        query = expanded(target["rawSql"], variables)
        return query, bool(await connection.fetch(query))
    query = filled_in(target["expr"], variables)
    if panel["type"] == "stat":
        return query, any_finite(await prometheus.now(query))
    return query, any_finite(await prometheus.over_time(query, timedelta(seconds=10)))
