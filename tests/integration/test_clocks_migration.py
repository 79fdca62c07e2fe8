"""Promises of bringing clocks that run to the tables of this release."""

from sqlalchemy import text
from tests.integration.releases import left_at, upgrade

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer

BEFORE = text("""
    INSERT INTO clocks (assignment_id, clock, lead_id, ordinal, rep, team, source, channel, received_at, started_at,
        response_window, deadline, steps, traceparent)
    SELECT gen_random_uuid(), 'response', gen_random_uuid(), 1, rep, 'sales', 'website', 'form', now(), now(),
        interval '1 hour', now() + interval '1 hour', CAST(steps AS jsonb), ''
    FROM (VALUES
        ('anna', '[{"name": "b", "action": "at_risk", "due_at": "2026-03-10T12:30:00Z"},
            {"name": "a", "action": "remind_rep", "due_at": "2026-03-10T12:05:00Z"},
            {"name": "c", "action": "at_risk", "due_at": "2026-03-10T12:10:00Z"}]'),
        ('eva', '[{"name": "a", "action": "remind_rep", "due_at": "2026-03-10T12:05:00Z"}]')
    ) AS given (rep, steps)
""")
MOVED = text("""
    UPDATE clocks SET steps = '[{"name": "c", "action": "at_risk", "due_at": "2026-03-10T13:00:00Z"}]'
""")


async def test_clocks_that_run_know_from_when_they_are_at_risk(real_parts: tuple[DatabaseServer, Broker]) -> None:
    """The first step that says so, whatever their order; none where none does. No figure changes by it.

    So do those that a replica of the release before starts or moves after it.
    """
    server, _ = real_parts
    async with left_at(server, "sla", "0008") as database:
        async with database.transaction() as connection:
            await connection.execute(BEFORE)
            await connection.execute(text("DELETE FROM tally_changes"))
        await upgrade(database)
        async with database.transaction() as connection:
            found = await connection.execute(text("SELECT rep, CAST(risk_at AS text) FROM clocks ORDER BY rep"))
            assert [tuple(row) for row in found] == [("anna", "2026-03-10 12:10:00+00"), ("eva", None)]
            assert (await connection.execute(text("SELECT * FROM tally_changes"))).all() == []
            # A replica of the release before is still there: it knows nothing of the column.
            await connection.execute(text("DELETE FROM clocks"))
            await connection.execute(BEFORE)
            found = await connection.execute(text("SELECT rep, CAST(risk_at AS text) FROM clocks ORDER BY rep"))
            assert [tuple(row) for row in found] == [("anna", "2026-03-10 12:10:00+00"), ("eva", None)]
            await connection.execute(MOVED)
            found = await connection.execute(text("SELECT CAST(risk_at AS text) FROM clocks ORDER BY rep"))
            assert [tuple(row) for row in found] == [("2026-03-10 13:00:00+00",)] * 2
