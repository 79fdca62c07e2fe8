"""Promises of least privilege: each service its own schema, Grafana its views."""

import asyncpg
import pytest

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer

TABLES = {"ingest": "ingest.leads", "router": "router.leads", "sla": "sla.clocks"}
VIEWS = (
    "leads",
    "assignments",
    "answers",
    "dispositions",
    "unrouted",
    "notifications",
    "clocks",
    "steps",
    "scorecard_leads",
    "scorecard_assignments",
    "scorecard_credits",
    "touches",
    "spend_days",
)


@pytest.mark.parametrize("role", [*TABLES, "reporting"])
async def test_a_role_reads_its_own_tables_and_nobody_elses(
    real_parts: tuple[DatabaseServer, Broker], database: str, role: str
) -> None:
    """No service reads another's tables; whoever stole one password would not either."""
    connection = await real_parts[0].connect(database, role)
    for owner, table in TABLES.items():
        if owner == role:
            await connection.fetch(f"SELECT * FROM {table}")
        else:
            with pytest.raises(asyncpg.exceptions.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")
    await connection.close()


async def test_the_reporting_role_reads_every_view_and_writes_nothing(
    real_parts: tuple[DatabaseServer, Broker], database: str
) -> None:
    """And no view holds personal data."""
    connection = await real_parts[0].connect(database, "reporting")
    for view in VIEWS:
        statement = await connection.prepare(f"SELECT * FROM reporting.{view}")
        columns = {attribute.name for attribute in statement.get_attributes()}
        assert not columns & {"data", "payload", "name", "email", "phone", "contact", "explanation", "fields", "note"}
    with pytest.raises(asyncpg.exceptions.PostgresError):
        await connection.execute("CREATE TABLE reporting.mine ()")
    with pytest.raises(asyncpg.exceptions.PostgresError):
        await connection.execute("DELETE FROM reporting.leads")
    await connection.close()
