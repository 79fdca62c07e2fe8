"""Promises of bringing teams' lines to the tables of this release."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import text
from tests.integration.events import envelope, lead, revised
from tests.integration.releases import left_at, upgrade
from tests.integration.router_harness import TEAM, Router, erasure
from tests.system import Endpoints, routing

from relance.personal_data import PersonalData
from relance.resealing import reseal
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import ROUTER
from relance_router import sealed_columns
from relance_router.privacy.exporting import export
from relance_router.terms.interventions import Order

MADE_BEFORE = """
    WITH kept AS (
        INSERT INTO leads (id, data, traceparent, identity) VALUES (:lead, CAST(:data AS jsonb), '', 'somebody')
    )
    INSERT INTO assignments (
        id, lead_id, ordinal, rep, team, weight, rule, why, state, assigned_at, respond_by, configuration, explanation
    )
    SELECT gen_random_uuid(), :lead, 1, 'anna', 'sales', 1, 'sales', '', 'open', now(), now() + interval '60 minutes',
        1, '{}'
    RETURNING id
"""


async def test_decisions_after_the_upgrade_can_be_made_again_from_the_lines_before_it(
    real_parts: tuple[DatabaseServer, Broker],
) -> None:
    """Whoever's place has not changed since stands where they stood: here far ahead, so that it is others' turn."""
    server, _ = real_parts
    async with left_at(server, ROUTER, "0004") as database:
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO teams (team) VALUES ('sales')"))
            await connection.execute(text(f"INSERT INTO places VALUES ('sales', 'anna', {2**84}), ('sales', 'ben', 0)"))
        await upgrade(database)
        router = Router(database)
        await router.apply(routing(Endpoints(), {"sales": TEAM}))
        await router.leads(3)
        await router.books()
        (first, *_) = await router.rows("SELECT id FROM leads")
        (decision,) = await router.explanations.of_lead(first["id"])
        owed = {each.rep: each.owed for each in decision.explanation.candidates}
        assert owed["anna"] is not None
        assert owed["anna"] < -10


async def test_assignments_made_before_the_upgrade_have_terms_that_can_be_changed(
    real_parts: tuple[DatabaseServer, Broker],
) -> None:
    """By hand and by a configuration, as if they had been made after it."""
    server, _ = real_parts
    async with left_at(server, ROUTER, "0006") as database:
        router = Router(database)
        await router.apply(routing(Endpoints(), {"sales": TEAM}, window="60m"))
        given = lead()
        await router.rows(MADE_BEFORE, lead=given.lead_id, data=given.model_dump_json())
        await upgrade(database)
        (row,) = await router.rows("SELECT respond_by FROM reporting.assignments")
        await router.by_hand.extend(Order(given.lead_id, "M", "a fair"), "response", timedelta(minutes=5))
        await router.apply(routing(Endpoints(), {"sales": TEAM}, window="70m"))
        await router.bring()
        (after,) = await router.rows("SELECT respond_by FROM reporting.assignments")
        assert after["respond_by"] == row["respond_by"] + timedelta(minutes=15)


async def test_leads_of_before_stand_in_figures_whatever_is_done_to_them(
    real_parts: tuple[DatabaseServer, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upgrade does not rewrite them: they are revised and sealed, exported and erased as they stand."""
    monkeypatch.setattr(sealed_columns, "AT_ONCE", 1)
    server, _ = real_parts
    keys = PersonalData([SecretStr(Fernet.generate_key().decode())])
    async with left_at(server, ROUTER, "0009", keys) as database:
        router = Router(database)
        await router.apply(routing(Endpoints(), {"sales": TEAM}))
        mine, *others = leads = [
            lead(source=source).model_copy(update={"campaign": "autumn"}) for source in ("a", "b", "c")
        ]
        ids = [each.lead_id for each in leads]
        for each in leads:
            await router.rows(MADE_BEFORE, lead=each.lead_id, data=each.model_dump_json())

        async def figures() -> list[dict[str, Any]]:
            columns = "source, campaign, channel, received_at"
            return await router.rows(f"SELECT {columns} FROM reporting.assignments ORDER BY source")

        async def data() -> str:
            return str(await router.rows("SELECT CAST(data AS text) FROM leads ORDER BY id"))

        async def held() -> list[dict[str, Any]]:
            return [each.data for each in (await export(database, ids)).leads]

        told = await figures()
        await upgrade(database)
        assert await router.rows("SELECT 1 FROM leads WHERE source IS NOT NULL") == []
        assert await figures() == told
        assert await held() == [each.model_dump(mode="json") for each in leads]
        more = revised(mine, fields={"team": "sales", "message": "urgent"})
        await router.consume([envelope(more)])
        assert await figures() == told
        await sealed_columns.fill(database)
        for column in sealed_columns.SEALED_COLUMNS:
            async for _ in reseal(database, column, keys):
                pass
        assert "maria" not in await data()
        assert await figures() == told
        assert [each["fields"] for each in await held()] == [each.fields for each in (more, *others)]
        await router.consume([erasure(*ids)])
        assert await figures() == told
        assert [each["contact"] for each in await held()] == [{}] * 3
