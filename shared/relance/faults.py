"""Which failures pass by themselves (try the same again) and which never will (give up on this input)."""

import asyncpg
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_TRANSIENT_SQLSTATE_CLASSES = (
    "08",  # connection exception
    "40",  # transaction rollback: deadlock, serialization failure
    "53",  # insufficient resources: disk full, too many connections
    "57",  # operator intervention: shutdown, crash, query cancelled by timeout
    "58",  # system error
)
_LOCK_NOT_AVAILABLE = "55P03"
_STOOD_STILL = "25P03"
"""In the middle of a transaction, and for so long that PostgreSQL ended it."""


class TryLater(RuntimeError):
    """Something of ours is not there yet; the same work will succeed once it is."""


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later without anybody changing it."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        cause = error.orig.__cause__ if error.orig else None
        return is_transient(cause) if cause else isinstance(error.orig, OSError)
    if isinstance(error, asyncpg.exceptions.PostgresError):
        state: str = getattr(error, "sqlstate", None) or ""
        return state[:2] in _TRANSIENT_SQLSTATE_CLASSES or state in (_LOCK_NOT_AVAILABLE, _STOOD_STILL)
    if isinstance(error, asyncpg.exceptions.InterfaceError):
        # As a ValueError it is about what was to be sent, and not about the connection.
        return not isinstance(error, ValueError)
    # What Kafka refuses, it refuses for the state it is in (or for how it is set up): the message itself was checked.
    # asyncpg stumbles over itself (InternalClientError) when it uses a connection that PostgreSQL has just ended.
    return isinstance(
        error, TryLater | KafkaError | OSError | TimeoutError | PoolTimeout | asyncpg.exceptions.InternalClientError
    )


def concerns_all(error: BaseException) -> bool:
    """Whether any other work would fail just so: a part is away. Not so when only this work met others in its way."""
    if isinstance(error, DBAPIError) and error.orig and error.orig.__cause__ and not error.connection_invalidated:
        return concerns_all(error.orig.__cause__)
    state: str = getattr(error, "sqlstate", None) or ""
    return is_transient(error) and not state.startswith("40") and state != _LOCK_NOT_AVAILABLE


def is_late(error: BaseException) -> bool:
    """Whether this work took too long, or met others in its way: nothing says that a part is away."""
    cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else None
    late = isinstance(cause or error, TimeoutError | PoolTimeout)
    return late or (is_transient(error) and not concerns_all(error))
