"""Looking at a delivery and sending it again, in the whole system."""

from pathlib import Path

from tests.system import running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer

TOKEN = "an operators' token of tests, long enough"


async def test_an_operator_sees_a_delivery_and_sends_it_again(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """The rep's tool gets the same webhook-id; the API says so, and is described."""
    environment = {"OPERATOR_TOKEN": TOKEN}
    async with running_system(real_parts, database, tmp_path, environment=environment) as system:
        told = await system.told(await system.post_lead(fields={"team": "sales"}))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        address = system.url("router", f"/v1/deliveries/{told.id}")

        async def delivered() -> bool:
            async with system.http.get(address, headers=headers) as answer:
                return bool((await answer.json())["state"] == "delivered")

        await system.until(delivered, "the delivery to be recorded")
        async with system.http.post(f"{address}/replay", headers=headers) as answer:
            assert answer.status == 202, await answer.text()
        await system.until(
            lambda: [each.id for each in system.endpoints.received].count(told.id) == 2, "the second webhook"
        )
        async with system.http.get(system.url("router", "/openapi.json")) as answer:
            paths = (await answer.json())["paths"]
        assert "DeliveryWithAttempts" in str(paths["/v1/deliveries/{notification_id}"]["get"]["responses"]["200"])
