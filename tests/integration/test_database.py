"""Promises of the one place that opens and commits transactions."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from tests.integration.asgi import ask
from tests.integration.conftest import OpenDatabase

from relance.database import after_commit
from relance.http import problems
from relance_local.services import ROUTER


async def test_what_is_to_follow_a_commit_follows_it_and_no_rollback(open_database: OpenDatabase) -> None:
    """A batch that is tried again is counted once; and one transaction's calls are not another's."""
    database = open_database(ROUTER)
    counted: list[str] = []

    async def fails() -> None:
        async with database.transaction() as connection:
            after_commit(connection, lambda: counted.append("rolled back"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    for name in ("first", "second"):
        async with database.transaction() as connection:
            after_commit(connection, lambda name=name: counted.append(name))  # type: ignore[misc]
            assert name not in counted
    assert counted == ["first", "second"]


async def test_who_asks_for_what_takes_too_long_is_not_told_that_the_database_is_away(
    open_database: OpenDatabase,
) -> None:
    """Somebody would look for a fault where there is none."""
    database = open_database(ROUTER, patience=timedelta(seconds=0.2))
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def slow() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("SELECT pg_sleep(60)"))

    status, body = await ask(app, "/")
    assert status == 503
    assert "The database did not get to it in time, so this was not accepted" in body
