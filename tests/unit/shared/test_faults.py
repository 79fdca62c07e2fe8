"""Which faults are everybody's, and which are of the work that met them."""

from collections.abc import Callable

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from relance.faults import concerns_all, is_late, is_transient


def wrapped(cause: Exception) -> DBAPIError:
    """As SQLAlchemy raises it."""
    error = Exception()
    error.__cause__ = cause
    return DBAPIError("SELECT", None, error)


@pytest.mark.parametrize("wrap", [wrapped, lambda cause: cause])
@pytest.mark.parametrize(
    ("cause", "passes", "everybodys", "late"),
    [
        (asyncpg.exceptions.ConnectionDoesNotExistError(), True, True, False),
        (asyncpg.exceptions.DiskFullError(), True, True, False),
        (TimeoutError(), True, True, True),
        (ConnectionRefusedError(), True, True, False),
        (asyncpg.exceptions.DeadlockDetectedError(), True, False, True),
        (asyncpg.exceptions.LockNotAvailableError(), True, False, True),
        (asyncpg.exceptions.IdleSessionTimeoutError(), True, True, False),
        (asyncpg.exceptions.IdleInTransactionSessionTimeoutError(), True, True, False),
        (asyncpg.exceptions.CharacterNotInRepertoireError(), False, False, False),
        # How asyncpg says that PostgreSQL has just ended the connection under it, and that a value is no such number.
        (asyncpg.exceptions.InternalClientError(), True, True, False),
        (asyncpg.exceptions._base.DataError(""), False, False, False),
    ],
)
def test_a_fault_concerns_all_when_a_part_is_away(
    wrap: Callable[[Exception], Exception], cause: Exception, passes: bool, everybodys: bool, late: bool
) -> None:
    """A lock that others hold does not; what will never pass does not either. What was late is told so."""
    error = wrap(cause)
    assert (is_transient(error), concerns_all(error), is_late(error)) == (passes, everybodys, late)
