"""Promises of personal data at rest in the router: sealed with a key, read with any, and changed without a pause."""

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from pydantic_core import MultiHostUrl
from tests.integration.events import envelope, revised
from tests.integration.router_harness import TEAM, Router, erasure
from tests.integration.test_erasing import company, rejected, traces, wandas

from relance.database import Database
from relance.events import LeadReceived
from relance.personal_data import CannotOpen, PersonalData
from relance.resealing import reseal
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import ROUTER
from relance_router.configuration.exported_leads import export_lines
from relance_router.deliveries.endpoints import rep_endpoint
from relance_router.deliveries.notifications import Room, claim
from relance_router.privacy.exporting import export
from relance_router.sealed_columns import SEALED_COLUMNS

OLD, NEW = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))


def keyed(real_parts: tuple[DatabaseServer, Broker], database: str, *keys: SecretStr) -> tuple[Router, PersonalData]:
    """A router that was given these keys."""
    personal_data = PersonalData(keys)
    url = MultiHostUrl(real_parts[0].url(ROUTER, database))
    opened = Database(url, schema=ROUTER, pool_size=2, timeout=timedelta(seconds=5), personal_data=personal_data)
    return Router(opened), personal_data


async def stored_anew(database: Database, personal_data: PersonalData) -> int:
    """How many rows were not stored as these keys say."""
    found = 0
    for column in SEALED_COLUMNS:
        async for _, changed in reseal(database, column, personal_data):
            found += changed
    return found


async def test_a_router_with_a_key_works_on_sealed_leads(
    real_parts: tuple[DatabaseServer, Broker], database: str
) -> None:
    """It routes, tells, explains, exports and erases them; the database alone says nothing but the company's domain."""
    router, _ = keyed(real_parts, database, OLD)
    await router.apply(company())
    (lead,) = await router.route([wandas()])
    await rejected(router, lead)
    assert await traces(router.database) == ["leads.identity", "leads.company_domain"], "what leads are found by"
    owner = await router.owner(lead.lead_id)
    assert (await router.recorder.look(owner["id"])).lead == lead
    assert (await router.explanations.of_lead(lead.lead_id))[0].explanation.same
    async with router.database.transaction() as connection:
        rooms = [Room(rep_endpoint(rep), 1) for rep in TEAM]
        claimed = await claim(connection, rooms, by_email=False, batch=5, lease=timedelta(minutes=1))
    assert [each.lead for each in claimed] == [lead]
    assert "autumn" in "".join([lines async for lines in export_lines(router.database, 3650)])
    (held,) = (await export(router.database, [lead.lead_id])).leads
    assert held.dispositions[0].words == "Wanda has no money"
    reporting = await router.rows(
        "SELECT source, campaign, channel, received_at FROM reporting.dispositions d "
        "JOIN reporting.assignments a USING (assignment_id, source, campaign, channel)"
    )
    assert reporting == [
        {"source": "website", "campaign": "autumn", "channel": "form", "received_at": lead.received_at}
    ]
    await router.books()
    await router.consume([erasure(lead.lead_id)])
    assert await traces(router.database) == []
    await router.books()
    await router.database.close()


async def test_touches_and_revisions_are_sealed_and_told(
    real_parts: tuple[DatabaseServer, Broker], database: str
) -> None:
    """The rep reads what came again, and the decision is explained by what was known then."""
    router, _ = keyed(real_parts, database, OLD)
    await router.apply(company(same_person={"within": "7d"}))
    (lead,) = await router.route([wandas()])
    await router.consume([envelope(revised(lead, fields={"team": "sales", "message": "Waschbär is well"}))])
    (touch,) = await router.route([wandas()])
    assert {"leads.data", "replaced_leads.data"}.isdisjoint(await traces(router.database))
    assert (await router.recorder.look((await router.owner(lead.lead_id))["id"])).touches == (touch,)
    assert (await router.explanations.of_lead(lead.lead_id))[0].explanation.same
    async with router.database.transaction() as connection:
        rooms = [Room(rep_endpoint(rep), 1) for rep in TEAM]
        (claimed,) = await claim(connection, rooms, by_email=False, batch=5, lease=timedelta(minutes=1))
    assert claimed.touches == (touch,)
    assert await stored_anew(router.database, PersonalData((NEW, OLD))) == 3 + 2, "leads, what was known before, events"
    assert await router.rows("SELECT source, campaign FROM reporting.touches") == [
        {"source": "website", "campaign": "autumn"}
    ]
    await router.database.close()


async def test_keys_change_while_the_router_runs(real_parts: tuple[DatabaseServer, Broker], database: str) -> None:
    """What is plain is sealed, and what was sealed with the old key is sealed with the new one, and opened again."""
    plain, _ = keyed(real_parts, database)
    old, _ = keyed(real_parts, database, OLD)
    both, boths = keyed(real_parts, database, NEW, OLD)
    new, _ = keyed(real_parts, database, NEW)
    await plain.apply(company())
    leads: list[LeadReceived] = []
    for router in (plain, old):
        leads += await router.route([wandas()])
        await rejected(router, leads[-1])

    assert await stored_anew(both.database, boths) == 6 + 6, "leads with what was said, and events"
    assert await stored_anew(both.database, boths) == 0, "what is stored as it should be stays"
    for lead in leads:
        owner = (await new.owner(lead.lead_id))["id"]
        assert (await new.recorder.look(owner)).lead == lead
        with pytest.raises(CannotOpen):
            await old.recorder.look(owner)
    assert "leads.data" not in await traces(new.database)
    off, offs = keyed(real_parts, database, SecretStr(""), NEW)
    assert await stored_anew(off.database, offs) == 6 + 6
    owners = [await plain.owner(lead.lead_id) for lead in leads]
    assert [(await plain.recorder.look(owner["id"])).lead for owner in owners] == leads
    assert (await plain.recorder.look((await plain.owner(leads[0].lead_id))["id"])).lead == leads[0]
    for router in (plain, old, both, new, off):
        await router.database.close()
