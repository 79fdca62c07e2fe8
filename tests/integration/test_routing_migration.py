"""Promises of bringing teams' lines to the tables of this release."""

import uuid
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic_core import MultiHostUrl
from sqlalchemy import Connection, text
from tests.integration.router_harness import TEAM, Router
from tests.system import Endpoints, routing

import relance_router
from relance import migrations
from relance.database import Database
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer

FOLDER = Path(relance_router.__file__).parent / "migrations"


def upgrade_to_0004(connection: Connection) -> None:
    """As the release before had it."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "0004")


async def test_decisions_after_the_upgrade_can_be_made_again_from_the_lines_before_it(
    real_parts: tuple[DatabaseServer, Broker],
) -> None:
    """Whoever's place has not changed since stands where they stood: here far ahead, so that it is others' turn."""
    server, _ = real_parts
    name = f"test_{uuid.uuid4().hex}"
    await server.create_relance_database(name)
    database = Database(
        MultiHostUrl(server.url("router", name)), schema="router", pool_size=2, timeout=timedelta(seconds=10)
    )
    try:
        async with database.transaction() as connection:
            await connection.run_sync(upgrade_to_0004)
            await connection.execute(text("INSERT INTO teams (team) VALUES ('sales')"))
            await connection.execute(text(f"INSERT INTO places VALUES ('sales', 'anna', {2**84}), ('sales', 'ben', 0)"))
        await migrations.upgrade(database, FOLDER)
        router = Router(database)
        await router.apply(routing(Endpoints(), {"sales": TEAM}))
        await router.leads(3)
        await router.books()
        (lead, *_) = await router.rows("SELECT id FROM leads")
        (decision,) = await router.explanations.of_lead(lead["id"])
        owed = {each.rep: each.owed for each in decision.explanation.candidates}
        assert owed["anna"] is not None
        assert owed["anna"] < -10
    finally:
        await database.close()
