"""Promises of the one place that opens and commits transactions."""

import pytest
from tests.integration.conftest import OpenDatabase

from relance.database import after_commit
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
