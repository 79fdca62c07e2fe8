"""How much is taken, of whom, and how long ingest waits for it: with real sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.system import KEYS, System, running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST

LIMITED = {"spam": {"limits": {"per_address": "2/hour", "per_source": "5/hour"}}}
SOURCES: dict[str, dict[str, Any]] = {"website": LIMITED, "ads": LIMITED}
FORM = {"_key": KEYS["website"], "email": "maria@example.com"}


@pytest.fixture
async def behind_a_proxy(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Ingest, which believes what this machine says of where a request comes from, and waits a second for it."""
    environment = {"TRUSTED_PROXIES": '["127.0.0.1", "10.0.0.0/8"]', "HTTP_RECEIVE_TIMEOUT": "PT1S"}
    async with running_system(
        real_parts, database, tmp_path, services=[INGEST], sources=SOURCES, environment=environment
    ) as running:
        yield running


async def submit(system: System, forwarded: str | None = None) -> tuple[int, Mapping[str, str], dict[str, Any]]:
    headers = {"Accept": "application/json"} | ({"X-Forwarded-For": forwarded} if forwarded else {})
    async with system.http.post(system.url(INGEST, "/v1/forms/website"), data=FORM, headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.json(content_type=None)


async def exchange(system: System, *pieces: bytes, closes: bool = True) -> bytes:
    """Send pieces over a socket of its own; what comes back until it is closed."""
    host, port = system.url(INGEST, "").removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(30):
            return await reader.read() if closes else await reader.readuntil(b"\r\n\r\n")
    except ConnectionError:
        return b""  # closed while we were still sending
    finally:
        writer.close()


async def test_beyond_a_limit_the_answer_is_429_and_nothing_is_stored(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """It says when to come again. Whatever the client says of where it comes from is not believed."""
    async with running_system(real_parts, database, tmp_path, services=[INGEST], sources=SOURCES) as system:
        assert [(await submit(system, f"192.0.2.{n}"))[0] for n in range(2)] == [202, 202]
        status, headers, problem = await submit(system, "192.0.2.9")
        assert (status, headers["Content-Type"]) == (429, "application/problem+json")
        assert 3500 < int(headers["Retry-After"]) <= 3600
        assert "address" in problem["detail"]
        await system.post_lead(source="ads")
        await system.post_lead(source="ads")
        key = {"Authorization": f"Bearer {KEYS['ads']}"}
        lead = {"email": "maria@example.com"}
        async with system.http.post(system.url(INGEST, "/v1/leads"), json=lead, headers=key) as answer:
            assert answer.status == 429
        assert len(await system.rows("SELECT FROM ingest.leads", role="ingest")) == 4
        metrics = await system.metrics(INGEST)
        assert 'relance_ingest_rate_limited_total{limit="address",source="website"} 1.0' in metrics
        for _ in range(3):
            await system.post_lead(source="phone")  # sets no limit


async def test_a_trusted_proxy_is_believed_and_no_address_is_logged(behind_a_proxy: System) -> None:
    """The last address that no proxy of ours has is whom it is counted for; IPv6 by /64."""
    answers = [
        (await submit(behind_a_proxy, forwarded))[0]
        for forwarded in (
            "198.51.100.7",
            "203.0.113.5, 198.51.100.7, 10.1.2.3",
            "8.8.8.8, 198.51.100.7",
            "2001:db8:1:2::1",
            "2001:db8:1:2:ffff::1",
            "2001:db8:1:2::77",
            "198.51.100.8",
            "198.51.100.9",
        )
    ]
    assert answers == [202, 202, 429, 202, 202, 429, 202, 429]
    _, _, problem = await submit(behind_a_proxy, "198.51.100.10")
    assert "source" in problem["detail"]
    log = behind_a_proxy.services.log(INGEST).read_text()
    assert "198.51" not in log
    assert "2001:db8" not in log


async def test_whoever_is_refused_before_everything_was_read_reads_why(ingest_only: System) -> None:
    """Though most of it still comes in after the answer, and the connection is closed then."""
    start = b"GET /healthz HTTP/1.1\r\nHost: relance\r\n"
    many = b"".join(b"X-%d: y\r\n" % number for number in range(200))
    body = b"POST /v1/forms/website HTTP/1.1\r\nHost: relance\r\nContent-Length: 5000000\r\nConnection: close\r\n\r\n"
    chunk = b"POST /v1/forms/website HTTP/1.1\r\nHost: relance\r\nTransfer-Encoding: chunked\r\n\r\n"
    form = b"Content-Type: application/x-www-form-urlencoded\r\n"
    for refusal, pieces in (
        (b"431", (start, b"X-Long: ", b"y" * 40_000, b"\r\n\r\n")),
        (b"431", (start, many, b"\r\n")),
        *[(b"431", (start + b"X-Long: " + b"y" * 800_000 + b"\r\n\r\n",))] * 10,
        *[(b"413", (body, b"x" * 5_000_000))] * 3,
        *[(b"400", (b"NONSENSE / HTTP/1.1\r\n", b"x" * 5_000_000))] * 3,
        (b"400", (chunk.replace(b"Transfer", form + b"Transfer"), b"no length\r\n")),
    ):
        answer = await exchange(ingest_only, *pieces)
        assert answer.startswith(b"HTTP/1.1 %s " % refusal), answer[:100]
        assert b"application/problem+json" in answer
    fine = await exchange(ingest_only, start, b"X-Long: ", b"y" * 20_000, b"\r\n\r\n", closes=False)
    assert fine.startswith(b"HTTP/1.1 200 ")
    both = await exchange(ingest_only, start + b"\r\n" + start + b"X-Long: " + b"y" * 40_000 + b"\r\n\r\n")
    assert (both.index(b"HTTP/1.1 200 "), both.count(b"HTTP/1.1 431 ")) == (0, 1)


async def test_headers_without_end_are_not_read_for_ever(behind_a_proxy: System) -> None:
    """One header that never ends, and an address that never ends: refused, then cut off."""
    for start in (b"GET /healthz HTTP/1.1\r\nHost: relance\r\nX-Endless: ", b"GET /"):
        async with asyncio.timeout(30):
            answer = await exchange(behind_a_proxy, start, *[b"y" * 10_000] * 10_000)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 "), answer[:100]


async def test_a_request_that_does_not_arrive_is_not_waited_for(behind_a_proxy: System) -> None:
    """Nothing sent, half a header, half a body: the connection is closed, and others are served meanwhile."""
    body = (
        b"POST /v1/leads HTTP/1.1\r\nHost: relance\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + KEYS["phone"].encode() + b'\r\nContent-Length: 100\r\n\r\n{"email": '
    )
    waiting = [
        asyncio.create_task(exchange(behind_a_proxy, *pieces))
        for pieces in ((b"",), (b"GET /healthz HTTP/1.1\r\nHo",), (body,), (body[:-30],))
    ]
    await behind_a_proxy.post_lead(source="phone")
    assert [await each for each in waiting] == [b""] * 4
    assert len(await behind_a_proxy.rows("SELECT FROM ingest.leads", role="ingest")) == 1
    await behind_a_proxy.until(
        lambda: (
            len([line for line in behind_a_proxy.logs() if line["event"] == "request" and line["route"] == "/v1/leads"])
            == 2
        ),
        "both requests to have ended",
    )
    assert [line for line in behind_a_proxy.logs() if line["level"] == "error"] == []


async def test_a_connection_that_is_kept_alive_by_nothing_is_closed(behind_a_proxy: System) -> None:
    """Empty lines between requests put uvicorn's own timer out."""
    host, port = behind_a_proxy.url(INGEST, "").removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: relance\r\n\r\n")
    assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
    writer.write(b"\r\n")
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()


async def test_fields_have_limits_too(ingest_only: System) -> None:
    """How many, and how long what they say; whatever the encoding. Odd names are mended: who fills a form in cannot."""
    url = ingest_only.url(INGEST, "/v1/forms/website")
    for further, expected in (
        ({f"field{number}": "x" for number in range(50)}, 202),
        ({f"field{number}": "x" for number in range(51)}, 422),
        ({f"field{number}": "x" for number in range(101)}, 400),
        ({"message": "x" * 5_000}, 202),
        ({"message": "x" * 5_001}, 422),
        ({"n" * 65: "x"}, 202),
    ):
        for multipart in (False, True):
            form = aiohttp.FormData({**FORM, **further}, default_to_multipart=multipart)
            async with ingest_only.http.post(url, data=form, headers={"Accept": "application/json"}) as answer:
                assert answer.status == expected, (list(further)[:2], multipart, await answer.text())
    assert len(await ingest_only.rows("SELECT FROM ingest.leads", role="ingest")) == 6
