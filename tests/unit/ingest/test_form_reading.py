"""Promises of how a form's body is read."""

import pytest
from fastapi import Request

from relance.http.problems import Problem
from relance_ingest.http.form_reading import URLENCODED, read_form


async def read(kind: str, body: bytes) -> dict[str, str]:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    headers = [(b"content-type", kind.encode())]
    return await read_form(Request({"type": "http", "headers": headers}, receive), "refuse")


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=windows-1252", "; charset=unheard-of"])
async def test_a_form_of_thousands_of_fields_is_refused_whatever_charset_it_claims(charset: str) -> None:
    """Before they are sorted, which would take seconds, and everybody else's form with it."""
    assert len(await read(URLENCODED + charset, b"&".join([b"a%20b=1"] * 100))) == 1
    with pytest.raises(Problem, match="Send 100 fields at most") as refused:
        await read(URLENCODED + charset, b"&".join([b"a%20b=1"] * 7281))
    assert refused.value.status == 400
