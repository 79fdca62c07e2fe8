"""Promises of how a form's body is read."""

from urllib.parse import urlencode

import pytest
from fastapi import Request

from relance.http.problems import Problem
from relance_ingest.http.form_reading import JSON, URLENCODED, read_form

MULTIPART = "multipart/form-data; boundary=x"


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


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (URLENCODED, urlencode({"_charset_": "UTF-8", "name": "Jörg"}).encode()),
        (URLENCODED + "; charset=utf-8", urlencode({"_charset_": "UTF-8", "name": "Jörg"}).encode()),
        (JSON, '{"_charset_": "UTF-8", "name": "Jörg"}'.encode()),
        (
            MULTIPART,
            '--x\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\nUTF-8\r\n'
            '--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nJörg\r\n--x--\r\n'.encode(),
        ),
    ],
)
async def test_the_charset_is_no_field_in_whatever_encoding_the_form_comes(kind: str, body: bytes) -> None:
    """The snippet sends the same form in another encoding than the browser does: it is to be the same lead."""
    assert await read(kind, body) == {"name": "Jörg"}


@pytest.mark.parametrize(
    ("values", "read_as"),
    [
        (["", "maria@example.com"], "maria@example.com"),
        (["maria@example.com", " "], "maria@example.com"),
        (["maria@example.com", "maria@example.com "], "maria@example.com"),
        (["doors", "windows", "doors"], "doors, windows"),
        (["", " "], ""),
    ],
)
@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
async def test_a_field_that_stands_several_times_has_each_value_once_and_no_blanks(
    kind: str, values: list[str], read_as: str
) -> None:
    """A page has its field twice, for phones and for desks: one is hidden and empty, or a browser fills in both."""
    pairs = [("email", value) for value in values]
    part = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = urlencode(pairs) if kind == URLENCODED else "".join(part.format(*pair) for pair in pairs) + "--x--\r\n"
    assert (await read(kind, body.encode())) == {"email": read_as}
