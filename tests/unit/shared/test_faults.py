"""Which faults are everybody's, and which are of the work that met them."""

from collections.abc import Callable

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from relance.faults import concerns_all, is_transient


def wrapped(cause: Exception) -> DBAPIError:
    """As SQLAlchemy raises it."""
    error = Exception()
    error.__cause__ = cause
    return DBAPIError("SELECT", None, error)


@pytest.mark.parametrize("wrap", [wrapped, lambda cause: cause])
@pytest.mark.parametrize(
    ("cause", "passes", "everybodys"),
    [
        (asyncpg.exceptions.ConnectionDoesNotExistError(), True, True),
        (asyncpg.exceptions.DiskFullError(), True, True),
        (ConnectionRefusedError(), True, True),
        (asyncpg.exceptions.DeadlockDetectedError(), True, False),
        (asyncpg.exceptions.LockNotAvailableError(), True, False),
        (asyncpg.exceptions.IdleSessionTimeoutError(), True, True),
        (asyncpg.exceptions.IdleInTransactionSessionTimeoutError(), True, True),
        (asyncpg.exceptions.CharacterNotInRepertoireError(), False, False),
        # How asyncpg says that PostgreSQL has just ended the connection under it, and that a value is no such number.
        (asyncpg.exceptions.InternalClientError(), True, True),
        (asyncpg.exceptions._base.DataError(""), False, False),
    ],
)
def test_a_fault_concerns_all_when_a_part_is_away(
    wrap: Callable[[Exception], Exception], cause: Exception, passes: bool, everybodys: bool
) -> None:
    """A lock that others hold does not; what will never pass does not either."""
    error = wrap(cause)
    assert (is_transient(error), concerns_all(error)) == (passes, everybodys)
