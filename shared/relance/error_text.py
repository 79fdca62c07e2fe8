"""What logs and dead letters may say of an error.

Libraries put what they failed on into their sentences: a row that PostgreSQL refused, a value that was none. That may
be somebody's name. So only sentences are told that were written here, or that are about connections.
"""

import traceback
from types import TracebackType

import asyncpg
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError, StatementError

from relance.validation_text import validation_text

_ABOUT_CONNECTIONS = (OSError, TimeoutError, KafkaError, SQLAlchemyError)
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def error_text(error: BaseException) -> str:
    """Its kind, and whatever else of it names nobody."""
    if isinstance(error, StatementError) and error.orig:
        # SQLAlchemy's own has the statement's values, and its adapter's the driver's sentence.
        return error_text(error.orig.__cause__ or error.orig)
    sentence = _sentence(error)
    return f"{type(error).__name__}: {sentence}" if sentence else type(error).__name__


def error_chain(exc_info: ExcInfo) -> list[dict[str, object]]:
    """For logs: the error and what it came of, the newest first, with the places in the code of each."""
    _, error, _ = exc_info
    told: list[dict[str, object]] = []
    following: BaseException | None = error
    while following is not None:
        places = traceback.extract_tb(following.__traceback__)
        said: dict[str, object] = {
            "error": error_text(following),
            "at": [f"{place.filename}:{place.lineno} {place.name}" for place in places],
        }
        if isinstance(following, BaseExceptionGroup):
            said["together"] = [error_chain((type(each), each, each.__traceback__)) for each in following.exceptions]
        told.append(said)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return told


def _sentence(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        return validation_text(error)
    if isinstance(error, asyncpg.exceptions.PostgresError):
        names = (getattr(error, name, None) for name in ("sqlstate", "table_name", "column_name", "constraint_name"))
        return " ".join(filter(None, names))
    ours = type(error).__module__.partition(".")[0].startswith("relance")
    return str(error) if ours or isinstance(error, _ABOUT_CONNECTIONS) else ""
