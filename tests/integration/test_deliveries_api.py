"""Promises of what operators see of deliveries, and of sending again, over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import yaml
from aiohttp import web
from fastapi import Depends, FastAPI
from tests.integration.delivering import Tool, announce, apply, delivering, listening, rows, serving
from tests.integration.events import lead
from tests.system import Endpoints, routing

from relance.database import Database
from relance.http.operators import operator_only
from relance.settings import ServiceSettings
from relance_local.conditions import wait_until
from relance_router.configuration.versions import ConfigurationVersions
from relance_router.deliveries.api import deliveries_api

TOKEN = "an operators' token of tests, long enough"


@pytest.fixture
async def operator(router_database: Database, settings: ServiceSettings) -> AsyncIterator[aiohttp.ClientSession]:
    """An operator with the API of a router."""
    app = FastAPI()
    api = deliveries_api(router_database, ConfigurationVersions(), lambda: None)
    app.include_router(api, dependencies=[Depends(operator_only(TOKEN))])
    async with (
        serving(app, settings) as address,
        aiohttp.ClientSession(address, headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        yield session


async def get(operator: aiohttp.ClientSession, path: str, **query: Any) -> dict[str, Any]:
    async with operator.get(path, params=query) as answer:
        assert answer.status == 200, await answer.text()
        body: dict[str, Any] = await answer.json()
        return body


async def post(operator: aiohttp.ClientSession, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
    async with operator.post(path, params=query) as answer:
        return answer.status, await answer.json()


async def become(database: Database, state: str, count: int) -> None:
    async def reached() -> bool:
        query = "SELECT 1 FROM notifications WHERE state = :state"
        return len(await rows(database, query, state=state)) == count

    await wait_until(reached, what=f"{count} notifications to be {state}")


async def test_only_operators_see_deliveries(operator: aiohttp.ClientSession) -> None:
    """401 as a problem for everybody else."""
    for method, path in (("GET", "/v1/deliveries"), ("POST", "/v1/endpoints/rep:anna/enable")):
        async with operator.request(method, path, headers={"Authorization": "Bearer wrong"}) as answer:
            assert (answer.status, answer.content_type) == (401, "application/problem+json")


async def test_a_contact_is_an_endpoint_and_each_way_to_somebody_is_one_too(
    operator: aiohttp.ClientSession, router_database: Database
) -> None:
    """Listed, enabled and replayed by name; a way that somebody does not have is no endpoint."""
    tool = Tool()
    document = yaml.safe_load(routing(Endpoints(tool.port), {"sales": ["anna"]}))
    document["contacts"] = [{"id": "director", "slack": tool.url("slack"), "teams": tool.url("teams")}]
    async with router_database.transaction() as connection:
        await ConfigurationVersions().apply(connection, yaml.safe_dump(document))
    listed = {each["endpoint"]: each["way"] for each in (await get(operator, "/v1/endpoints"))["endpoints"]}
    assert listed == {"rep:anna": "webhook", "manager:sales": "webhook", "contact:director": "slack"}
    status, endpoint = await post(operator, "/v1/endpoints/contact:director:teams/enable")
    assert (status, endpoint["way"], endpoint["state"]) == (200, "teams", "closed")
    assert (await post(operator, "/v1/endpoints/contact:director:teams/replay"))[0] == 202
    for unknown in ("contact:nobody", "contact:director:email", "manager:sales:slack"):
        status, problem = await post(operator, f"/v1/endpoints/{unknown}/enable")
        assert (status, unknown in problem["detail"]) == (404, True)


async def test_the_list_is_newest_first_by_pages_and_filtered(
    operator: aiohttp.ClientSession, router_database: Database
) -> None:
    """By endpoint, state and lead; the cursor goes on where the page ended."""
    await apply(router_database, Tool())
    about = lead()
    await announce(router_database, "rep:ben", count=3)
    ids = [str(id_) for id_ in await announce(router_database, "rep:anna", lead=about, count=5)]
    first = await get(operator, "/v1/deliveries", endpoint="rep:anna", limit=3)
    assert [each["notification_id"] for each in first["deliveries"]] == ids[:1:-1]
    second = await get(operator, "/v1/deliveries", endpoint="rep:anna", limit=3, before=first["next"])
    assert [each["notification_id"] for each in second["deliveries"]] == ids[1::-1]
    assert second["next"] is None
    assert len((await get(operator, "/v1/deliveries", lead_id=str(about.lead_id)))["deliveries"]) == 5
    assert len((await get(operator, "/v1/deliveries", state="pending"))["deliveries"]) == 8
    assert (await get(operator, "/v1/deliveries", state="failed"))["deliveries"] == []


async def test_every_attempt_is_logged_with_what_was_answered(
    operator: aiohttp.ClientSession, router_database: Database
) -> None:
    """Way, status, how long, and the answer's text, short and without the person."""
    answer = web.Response(status=500, text="cannot store maria@example.com: " + "x" * 10_000)
    tool = Tool(answers={"rep:anna": answer})
    await apply(router_database, tool)
    (id_,) = await announce(router_database, "rep:anna", lead=lead())
    async with listening(tool), delivering(router_database):
        await wait_until(lambda: len(tool.received) >= 1, what="the first attempt")
        tool.answers.clear()
        await become(router_database, "delivered", 1)
    shown = await get(operator, f"/v1/deliveries/{id_}")
    assert (shown["state"], shown["replays"]) == ("delivered", 0)
    *_, first = shown["attempted"]
    assert (first["way"], first["attempt"], first["replay"], first["status"]) == ("webhook", 1, 0, 500)
    assert first["response"].startswith("cannot store [removed]: xxx")
    assert len(first["response"]) == 500
    assert first["seconds"] > 0
    assert shown["attempted"][0]["status"] == 200


async def test_a_replay_sends_the_same_notification_again_and_is_recorded(
    operator: aiohttp.ClientSession, router_database: Database
) -> None:
    """Same webhook-id; attempts count anew, and the log tells the replay from the first sending."""
    tool = Tool()
    await apply(router_database, tool)
    (id_,) = await announce(router_database, "rep:anna")
    async with listening(tool), delivering(router_database):
        await become(router_database, "delivered", 1)
        status, body = await post(operator, f"/v1/deliveries/{id_}/replay")
        assert (status, body["state"], body["replays"]) == (202, "pending", 1)
        await become(router_database, "delivered", 1)
    assert len(tool.received) == 2
    shown = await get(operator, f"/v1/deliveries/{id_}")
    assert [(each["replay"], each["attempt"]) for each in shown["attempted"]] == [(1, 1), (0, 1)]


async def test_what_is_still_being_sent_is_not_replayed(
    operator: aiohttp.ClientSession, router_database: Database
) -> None:
    """Nor what nobody knows: both as problems that say what to do."""
    (id_,) = await announce(router_database, "rep:anna")
    status, problem = await post(operator, f"/v1/deliveries/{id_}/replay")
    assert (status, problem["title"]) == (409, "Not replayed")
    assert "still being sent" in problem["detail"]
    assert (await post(operator, f"/v1/deliveries/{uuid4()}/replay"))[0] == 404
    assert (await post(operator, "/v1/deliveries/nonsense/replay"))[0] == 422


async def test_all_that_failed_at_an_endpoint_is_replayed(
    operator: aiohttp.ClientSession, router_database: Database
) -> None:
    """Since a moment, when one is given; other endpoints' failures stay."""
    await apply(router_database, Tool())
    for endpoint in ("rep:anna", "rep:ben"):
        await announce(router_database, endpoint, count=3)
    async with router_database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE notifications SET state = 'failed', settled_at = now()")
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert await post(operator, "/v1/endpoints/rep:anna/replay", since=soon) == (202, {"replayed": 0, "more": False})
    assert await post(operator, "/v1/endpoints/rep:anna/replay") == (202, {"replayed": 3, "more": False})
    states = "SELECT endpoint, state FROM notifications GROUP BY endpoint, state ORDER BY endpoint"
    assert await rows(router_database, states) == [
        {"endpoint": "rep:anna", "state": "pending"},
        {"endpoint": "rep:ben", "state": "failed"},
    ]
    status, problem = await post(operator, "/v1/endpoints/rep:nobody/replay")
    assert status == 404
    assert "rep:<id>" in problem["detail"]


async def test_a_disabled_endpoint_is_seen_and_enabled(
    operator: aiohttp.ClientSession, router_database: Database
) -> None:
    """Why it was disabled; once enabled, what waited goes out."""
    tool = Tool(answers={"rep:anna": web.Response(status=410)})
    await apply(router_database, tool)
    await announce(router_database, "rep:anna", count=2)

    async def anna() -> dict[str, Any]:
        endpoints = (await get(operator, "/v1/endpoints"))["endpoints"]
        assert [each["endpoint"] for each in endpoints] == ["rep:anna", "rep:ben", "manager:sales"]
        return dict(endpoints[0])

    async def disabled() -> bool:
        return bool((await anna())["state"] == "disabled")

    async with listening(tool), delivering(router_database, per_endpoint=1):
        await wait_until(disabled, what="the endpoint to be disabled")
        assert (await anna())["disabled_because"] == "the endpoint answered 410 Gone"
        tool.answers.clear()
        status, enabled = await post(operator, "/v1/endpoints/rep:anna/enable")
        assert (status, enabled["state"], enabled["way"]) == (200, "closed", "webhook")
        await become(router_database, "delivered", 1)
    assert (await post(operator, "/v1/endpoints/rep:nobody/enable"))[0] == 404
