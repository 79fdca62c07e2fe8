"""Promises of what is told of an error: what kind and where, and nobody's name."""

import json
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.exc import DBAPIError

from relance.error_text import error_chain, error_text
from relance.events import MalformedEvent


class Person(BaseModel):
    """Somebody."""

    model_config = ConfigDict(extra="forbid")

    email: int
    fields: dict[str, int]


def invalid() -> ValidationError:
    try:
        Person.model_validate({"email": "zebulon@quux.example", "fields": {"Zebulon": "Quux"}, "Plumbus": 1})
    except ValidationError as error:
        return error
    raise AssertionError


def refused() -> Exception:
    """As asyncpg makes it of what PostgreSQL sends."""
    sent = {
        "C": "23505",
        "M": "Zebulon is there already",
        "D": "Key (email)=(zebulon@quux.example) already exists.",
        "t": "leads",
        "n": "leads_email_key",
    }
    made: Exception = asyncpg.exceptions.PostgresError.new(sent)
    return made


def by_sqlalchemy(cause: BaseException) -> DBAPIError:
    adapted = Exception(f"<class 'error'>: {cause}")
    adapted.__cause__ = cause
    return DBAPIError("INSERT INTO leads VALUES ($1)", ["Zebulon"], adapted)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (invalid(), "ValidationError: Person: email int_parsing, extra_forbidden, fields int_parsing"),
        (refused(), "UniqueViolationError: 23505 leads leads_email_key"),
        (by_sqlalchemy(refused()), "UniqueViolationError: 23505 leads leads_email_key"),
        (ValueError("invalid literal for int() with base 10: 'Zebulon'"), "ValueError"),
        (KeyError("Zebulon"), "KeyError"),
        (json.JSONDecodeError("Zebulon", "Quux", 1), "JSONDecodeError"),
        (ConnectionRefusedError("port 5432"), "ConnectionRefusedError: port 5432"),
        (MalformedEvent("unknown event type x"), "MalformedEvent: unknown event type x"),
    ],
)
def test_an_error_is_told_without_what_it_failed_on(error: BaseException, text: str) -> None:
    """Names that are ours may be told: of constraints, of models' fields; and why there is no connection."""
    assert error_text(error) == text


def no_event(cause: Exception) -> None:
    try:
        raise cause
    except type(cause) as error:
        raise MalformedEvent("no event") from error


def test_the_whole_chain_is_told_with_the_places_in_the_code() -> None:
    """What an error came of, and what came together, says no more than an error alone."""
    with pytest.raises(MalformedEvent) as raised:
        no_event(ExceptionGroup("Zebulon", [refused(), KeyError("Quux")]))
    told: list[dict[str, Any]] = error_chain((MalformedEvent, raised.value, raised.value.__traceback__))
    assert [each["error"] for each in told] == ["MalformedEvent: no event", "ExceptionGroup"]
    assert f"{__file__}:" in told[0]["at"][-1]
    assert [chain[0]["error"] for chain in told[1]["together"]] == [error_text(refused()), "KeyError"]
