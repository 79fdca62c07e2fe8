"""What ingest takes, and what it refuses, by HTTP. Nothing refused is stored."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.system import KEYS, THANKS, System, running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST

FORM = {"_key": KEYS["website"], "name": "Maria Huber", "email": "maria@example.com", "budget": "20k"}
CALL = {
    "call_id": "call-1",
    "caller": "+49 171 1234567",
    "called_number": "+49 30 12345678",
    "status": "missed",
    "started_at": "2026-11-24T10:00:00+01:00",
    "duration_seconds": 0,
}
AUTHORISED = {"Authorization": f"Bearer {KEYS['website']}"}


async def post(
    system: System, path: str, *, headers: dict[str, str] | None = None, **body: Any
) -> tuple[int, dict[str, Any], dict[str, str]]:
    async with system.http.post(system.url("ingest", path), headers=headers, allow_redirects=False, **body) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text else {}, dict(answer.headers)


@pytest.fixture(scope="module")
async def shared_ingest(
    real_parts: tuple[DatabaseServer, Broker], database_of_module: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """Ingest alone."""
    folder = tmp_path_factory.mktemp("submissions")
    async with running_system(real_parts, database_of_module, folder, services=[INGEST]) as running:
        yield running


@pytest.fixture
async def ingest_only(shared_ingest: System) -> AsyncIterator[System]:
    """The same for all tests, with no lead."""
    yield shared_ingest
    await shared_ingest.delete_leads()


async def stored(system: System) -> list[dict[str, Any]]:
    rows = await system.rows("SELECT data FROM ingest.leads ORDER BY id", role="ingest")
    return [json.loads(row["data"]) for row in rows]


async def test_a_plain_form_is_accepted_in_every_encoding(ingest_only: System) -> None:
    """Urlencoded, multipart and JSON give the same lead; browsers are sent on, programs get the id."""
    multipart = aiohttp.FormData(FORM, default_to_multipart=True)
    status, _, headers = await post(ingest_only, "/v1/forms/website", data=FORM)
    assert (status, headers["Location"]) == (303, THANKS)
    status, _, headers = await post(ingest_only, "/v1/forms/website", data=multipart)
    assert (status, headers["Location"]) == (303, THANKS)
    status, receipt, _ = await post(ingest_only, "/v1/forms/website", json=FORM, headers={"Accept": "application/json"})
    assert (status, receipt["repeated"]) == (202, False)
    leads = await stored(ingest_only)
    assert [(lead["contact"]["email"], lead["fields"]) for lead in leads] == [
        ("maria@example.com", {"budget": "20k"})
    ] * 3
    urlencoded = "application/x-www-form-urlencoded"
    for kind, named in ((f"{urlencoded}; charset=iso-8859-1", ""), (urlencoded, "&_charset_=windows-1252")):
        body = f"_key={KEYS['website']}&email=m%40example.com&name=M%FCller{named}".encode()
        status, _, _ = await post(ingest_only, "/v1/forms/website", data=body, headers={"Content-Type": kind})
        assert status == 303
        latest = (await stored(ingest_only))[-1]
        assert (latest["contact"]["name"], latest["fields"]) == ("Müller", {})
    status, _, _ = await post(ingest_only, "/v1/leads/", json={}, headers=AUTHORISED)
    assert status == 404  # no redirect to whatever the client calls us


async def test_a_lead_is_answered_alike_whichever_way_it_is_read(ingest_only: System) -> None:
    """A body that is plain JSON is read directly, any other by FastAPI; a wrong one is told the same by both."""
    kinds = ("application/json", "application/json; charset=utf-8")
    for body, said in ({"email": "maria@example.com"}, 202), ({"email": 1, "surname": "Huber"}, 422), ({}, 422):
        direct, by_fastapi = [
            await post(ingest_only, "/v1/leads", data=json.dumps(body), headers={**AUTHORISED, "Content-Type": kind})
            for kind in kinds
        ]
        for status, answer, headers in (direct, by_fastapi):
            assert status == said
            answer.pop("lead_id", None)
            headers.pop("Date")
        assert direct == by_fastapi
    first, second = await stored(ingest_only)
    assert first["contact"] == second["contact"]


async def test_a_call_becomes_a_lead_with_its_details(ingest_only: System) -> None:
    """And the same call sent again is the same lead, whatever key its maker gives each request."""
    headers = {"X-API-Key": KEYS["phone"]}
    first = await post(ingest_only, "/v1/calls", json=CALL, headers=headers)
    again = await post(ingest_only, "/v1/calls", json=CALL, headers={**headers, "Idempotency-Key": "another"})
    assert (first[0], again[0], again[1]) == (202, 202, {**first[1], "repeated": True})
    (lead,) = await stored(ingest_only)
    assert lead["channel"] == "call"
    assert lead["contact"]["phone"] == "+491711234567"
    assert lead["call"]["status"] == "missed"
    assert lead["call"]["started_at"] == "2026-11-24T09:00:00Z"


async def test_a_call_takes_no_other_leads_place(ingest_only: System) -> None:
    """Neither that of another call whose maker gave it the same key, nor a form's whose key is like a call's."""
    headers = {"X-API-Key": KEYS["phone"], "Idempotency-Key": "call:2"}
    form = {"email": "maria@example.com"}
    assert (await post(ingest_only, "/v1/leads", json=form, headers=headers))[0] == 202
    answers = [
        (await post(ingest_only, "/v1/calls", json={**CALL, "call_id": each}, headers=headers))[0]
        for each in ("1", "2", "3")
    ]
    assert answers == [202, 422, 202]
    assert [lead["channel"] for lead in await stored(ingest_only)] == ["form", "call", "call"]


async def test_the_same_submission_twenty_times_at_once_is_one_lead(system: System) -> None:
    """Invariant 2: one lead, one assignment, one notification."""
    headers = {**AUTHORISED, "Idempotency-Key": "impatient"}
    body = {"email": "maria@example.com", "fields": {"team": "sales"}}
    answers = await asyncio.gather(*(post(system, "/v1/leads", json=body, headers=headers) for _ in range(20)))
    assert {status for status, _, _ in answers} == {202}
    (lead_id,) = {receipt["lead_id"] for _, receipt, _ in answers}
    assert sorted(receipt["repeated"] for _, receipt, _ in answers) == [False] + [True] * 19
    await system.told(lead_id)
    assert len(await stored(system)) == 1
    assert len(await system.rows("SELECT FROM reporting.assignments")) == 1
    # The next lead has been told of, so that a second webhook for the first one would have arrived too.
    await system.told(await system.post_lead(fields={"team": "sales"}))
    assert len(system.endpoints.assignments_of(lead_id)) == 1


async def test_an_idempotency_key_of_another_submission_is_refused(ingest_only: System) -> None:
    """And the form's hidden field counts as the header does."""
    form = {**FORM, "_idempotency_key": "k"}
    assert (await post(ingest_only, "/v1/forms/website", data=form))[0] == 303
    status, problem, _ = await post(ingest_only, "/v1/forms/website", data={**form, "email": "other@example.com"})
    assert (status, problem["title"]) == (422, "Idempotency key used twice")
    assert len(await stored(ingest_only)) == 1


BAD: list[tuple[str, str, dict[str, Any], int, str | None]] = [
    ("malformed JSON", "/v1/leads", {"data": "{", "headers": {"Content-Type": "application/json"}}, 400, None),
    ("no body", "/v1/leads", {}, 422, "/"),
    ("not an object", "/v1/leads", {"json": [1]}, 422, "/"),
    ("wrong type", "/v1/leads", {"json": {"email": 7}}, 422, "/email"),
    ("unknown field", "/v1/leads", {"json": {"email": "a@example.com", "emial": "x"}}, 422, "/emial"),
    ("bad phone", "/v1/leads", {"json": {"phone": "12"}}, 422, "/phone"),
    ("bad e-mail", "/v1/leads", {"json": {"email": "maria@"}}, 422, "/email"),
    ("nobody to answer", "/v1/leads", {"json": {"name": "Maria"}}, 422, "/"),
    ("NUL", "/v1/leads", {"json": {"email": "a@example.com", "name": "a\x00b"}}, 422, "/name"),
    ("lone surrogate", "/v1/leads", {"data": b'{"email":"a@example.com","name":"\\ud800"}'}, 422, "/name"),
    ("empty call", "/v1/calls", {"json": {}}, 422, "/call_id"),
    ("call of nobody", "/v1/calls", {"json": {**CALL, "caller": "12"}}, 422, "/caller"),
    ("empty form", "/v1/forms/website", {"data": {"_key": KEYS["website"]}}, 422, "/"),
    ("form bad phone", "/v1/forms/website", {"data": {**FORM, "phone": "12"}}, 422, "/phone"),
    ("form nested", "/v1/forms/website", {"json": {**FORM, "budget": {"a": 1}}}, 422, "/budget"),
    (
        "form malformed JSON",
        "/v1/forms/website",
        {"data": "{", "headers": {"Content-Type": "application/json"}},
        400,
        None,
    ),
    ("form of text", "/v1/forms/website", {"data": "hello", "headers": {"Content-Type": "text/plain"}}, 415, None),
    ("form unknown source", "/v1/forms/nobody", {"data": FORM}, 404, None),
    ("form of another source", "/v1/forms/ads", {"data": FORM}, 401, None),
    ("form NUL key", "/v1/forms/website", {"data": {**FORM, "_idempotency_key": "a\x00b"}}, 422, "/_idempotency_key"),
    ("form long key", "/v1/forms/website", {"data": {**FORM, "_idempotency_key": "k" * 300}}, 422, "/_idempotency_key"),
    ("form surrogate key", "/v1/forms/website", {"data": b'{"_key":"\\ud800"}'}, 401, None),
    ("form with file", "/v1/forms/website", {"files": True}, 422, "/cv"),
    ("wrong key", "/v1/leads", {"json": {"email": "a@example.com"}, "key": "nonsense"}, 401, None),
    (
        "long idempotency key",
        "/v1/leads",
        {"json": {"email": "a@example.com"}, "headers": {"Idempotency-Key": "k" * 300}},
        422,
        "header/Idempotency-Key",
    ),
    ("no key", "/v1/leads", {"json": {"email": "a@example.com"}, "key": None}, 401, None),
    ("oversize", "/v1/leads", {"json": {"email": "a@example.com", "fields": {"x": "y" * 70_000}}}, 413, None),
    ("no such path", "/v1/nothing", {"json": {}}, 404, None),
]


async def test_bad_input_is_a_problem_that_names_every_fault_and_stores_nothing(ingest_only: System) -> None:
    """One system, every kind of bad input."""
    for name, path, given, expected, pointer in BAD:
        request = dict(given)
        key = request.pop("key", KEYS["website"])
        headers = {**(request.pop("headers", {})), **({"X-API-Key": key} if key and "forms" not in path else {})}
        if isinstance(request.get("data"), bytes):
            headers["Content-Type"] = "application/json"
        if request.pop("files", False):
            form = aiohttp.FormData(FORM)
            form.add_field("cv", b"bytes", filename="cv.pdf")
            request["data"] = form
        status, problem, answered = await post(ingest_only, path, headers=headers, **request)
        assert status == expected, (name, status, problem)
        assert answered["Content-Type"] == "application/problem+json", name
        assert problem["status"] == status, name
        assert problem["detail"], name
        if pointer:
            assert pointer in [fault["pointer"] for fault in problem["errors"]], (name, problem)
    assert await stored(ingest_only) == []


async def test_a_body_without_a_length_is_limited_too(ingest_only: System) -> None:
    """Chunked: nobody says beforehand how much will come."""

    async def endless() -> Any:
        for _ in range(1000):
            yield b"x" * 1000

    headers = {**AUTHORISED, "Content-Type": "application/json"}
    status, problem, _ = await post(ingest_only, "/v1/leads", data=endless(), headers=headers)
    assert (status, problem["title"]) == (413, "Request Entity Too Large")


async def test_the_document_describes_what_is_read_by_hand(ingest_only: System) -> None:
    """Keys, wherever an operation names them; and the idempotency key, alike for leads and forms."""
    async with ingest_only.http.get(ingest_only.url("ingest", "/openapi.json")) as answer:
        document = await answer.json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    named = {name for operation in operations for way in operation.get("security", []) for name in way}
    assert named == set(document["components"]["securitySchemes"])
    assert all("503" in each["responses"] for each in operations if each["tags"] != ["operations"])
    for path in ("/v1/leads", "/v1/calls"):
        assert document["paths"][path]["post"]["security"] == [{"HTTPBearer": []}, {"APIKeyHeader": []}]
    for path in ("/v1/leads", "/v1/forms/{source}"):
        parameters = {each["name"]: each for each in document["paths"][path]["post"]["parameters"]}
        key = parameters["Idempotency-Key"]
        assert (key["in"], key["required"], "255" in str(key["schema"])) == ("header", False, True)
