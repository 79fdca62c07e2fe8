"""What partners send, as they send it, to the service as it runs."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.http_servers import answering
from tests.partner_requests import PARTNERS, SAMPLES, Sample
from tests.system import KEYS, System, running_system
from yarl import URL

from relance_local.broker import Broker
from relance_local.conditions import free_port
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST

PUBLIC_URL = "https://leads.example.com/hooks"
CALL = {
    "call_id": "call-1",
    "caller": "+491711234567",
    "called_number": "+493012345678",
    "status": "missed",
    "started_at": "2026-11-24T10:00:00+01:00",
    "duration_seconds": 0,
}
META = {"verify_token_from": "RELANCE_META_VERIFY", "access_token_from": ["RELANCE_META_OLD", "RELANCE_META_ACCESS"]}
SOURCES: dict[str, dict[str, Any]] = {
    kind: {
        "default_country": "DE",
        "partner": {"kind": kind, "secret_from": f"RELANCE_{kind.upper()}", **(META if kind == "meta" else {})},
    }
    for kind in PARTNERS
}
SOURCES["meta"]["spam"] = {"most_links": 1}
SOURCES["hubspot"]["spam"] = {"limits": {"per_address": "3/hour", "per_source": "3/hour"}}


class GraphApi:
    """Meta's Graph API: knows two leads, one of them with an address that is thrown away, and one access token."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        """A lead, or Meta's error."""
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.asked.append(token)
        if token != "access":
            return web.json_response({"error": {"code": 190, "message": "expired"}}, status=400)
        if request.match_info["lead"] == "8":
            answers = [{"name": "email", "values": ["maria@mailinator.com"]}]
            return web.json_response({"id": "8", "field_data": answers})
        if request.match_info["lead"] != "123123123123":
            return web.json_response({"error": {"code": 100, "message": "no such lead"}}, status=400)
        assert "field_data" in request.query["fields"].split(",")
        return web.json_response(json.loads((SAMPLES / "meta_lead.json").read_text()))


@pytest.fixture
async def graph_api() -> AsyncIterator[GraphApi]:
    """A real server."""
    api = GraphApi()
    async with answering(api.port, web.get("/v25.0/{lead}", api.answer)):
        yield api


@pytest.fixture
async def ingest(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path, graph_api: GraphApi
) -> AsyncIterator[System]:
    """Ingest with a source for each partner, behind a proxy that has another address."""
    environment = {
        **{sample.kind.upper(): sample.secret for sample in PARTNERS.values()},
        "META_VERIFY": "verify",
        "META_OLD": "old",
        "META_ACCESS": "access",
        "META_GRAPH_URL": f"http://127.0.0.1:{graph_api.port}/v25.0",
        "PUBLIC_URL": PUBLIC_URL,
    }
    async with running_system(
        real_parts, database, tmp_path, services=[INGEST], environment=environment, sources=SOURCES
    ) as running:
        yield running


async def send(
    system: System,
    sample: Sample,
    body: bytes | None = None,
    *,
    secret: str | None = None,
    age: timedelta = timedelta(),
) -> tuple[int, str]:
    """Post as the partner would; returns status and text, or with 429 when to come again."""
    body = sample.body if body is None else body
    path = f"/v1/partners/{sample.kind}?campaign=a%20b"
    headers = sample.sign(secret or sample.secret, body, PUBLIC_URL + path, datetime.now(UTC) - age)
    headers["Content-Type"] = sample.content_type
    # As it stands, and not as aiohttp would write it: some partners sign it.
    url = URL(system.url("ingest", path), encoded=True)
    async with system.http.post(url, data=body, headers=headers) as answer:
        if answer.status == 429:
            return answer.status, answer.headers["Retry-After"]
        return answer.status, await answer.text()


async def stored(system: System) -> list[dict[str, Any]]:
    rows = await system.rows("SELECT data, suspicions, revised_at FROM ingest.leads ORDER BY id", role="ingest")
    return [{**json.loads(row["data"]), "suspicions": row["suspicions"], "revised": row["revised_at"]} for row in rows]


async def counted(system: System, metric: str) -> float:
    """The value of one line of the metrics."""
    lines = [line for line in (await system.metrics("ingest")).splitlines() if line.startswith(metric)]
    return float(lines[0].rsplit(" ", 1)[1]) if lines else 0


async def test_every_partner_sends_a_lead_which_sent_again_is_the_same(ingest: System) -> None:
    """Each answer is a 2xx; each lead is committed once, however often the partner tells of it."""
    for sample in PARTNERS.values():
        for _ in range(2):
            status, answer = await send(ingest, sample)
            assert status == 200, (sample.kind, answer)
            if sample.kind == "twilio":
                assert answer == "<Response/>"
    await ingest.wait_for_rows("SELECT 1 FROM reporting.leads", count=len(PARTNERS))
    leads = await stored(ingest)
    assert sorted(lead["source"] for lead in leads) == sorted(PARTNERS)
    assert {lead["source"]: lead["channel"] for lead in leads} == {
        kind: each.channel for kind, each in PARTNERS.items()
    }
    assert {lead["contact"]["phone"] for lead in leads} == {"+491711234567"}
    assert [lead for lead in leads if lead["suspicions"] or lead["revised"]] == []


async def test_what_was_not_signed_leaves_no_trace_but_a_metric(ingest: System) -> None:
    """With another secret, for another body, too long ago, or without a signature."""
    for sample in PARTNERS.values():
        wrong = "whsec_b3RoZXI=" if sample.kind == "standard_webhooks" else "another secret"
        body = sample.changed(google_key="another") if sample.kind == "google_ads" else None
        status, answer = await send(ingest, sample, body, secret=wrong)
        assert (status, json.loads(answer)["title"]) == (401, "Wrong signature"), sample.kind
        reason = f'relance_ingest_signatures_refused_total{{reason="wrong",source="{sample.kind}"}}'
        assert await counted(ingest, reason) == 1
        if sample.signs_time:
            assert (await send(ingest, sample, age=timedelta(minutes=6)))[0] == 401
    assert await stored(ingest) == []
    assert await ingest.rows("SELECT FROM ingest.partner_references", role="ingest") == []


async def test_a_partners_test_message_is_answered_well_and_makes_no_lead(ingest: System) -> None:
    """Else its maker would think that the address is wrong."""
    google = PARTNERS["google_ads"]
    status, answer = await send(ingest, google, google.changed(is_test=True))
    assert (status, json.loads(answer)) == (200, {"lead_ids": [], "to_fetch": 0, "ignored": ["test"]})
    assert await counted(ingest, 'relance_ingest_partner_ignored_total{reason="test",source="google_ads"}') == 1
    assert await stored(ingest) == []


async def test_a_lead_whom_nobody_can_reach_is_kept_in_quarantine(ingest: System) -> None:
    """The partner is told 200; nobody is told of it until it is released, or the partner says how to reach them.

    What is more than the source's limit is told when to come again.
    """
    hubspot = PARTNERS["hubspot"]
    for contact in (1, 2):
        status, _ = await send(ingest, hubspot, json.dumps({"vid": contact, "properties": {"firstname": "M"}}).encode())
        assert status == 200
    leads = await stored(ingest)
    assert [(lead["contact"]["name"], lead["suspicions"]) for lead in leads] == [("M", ["unreachable"])] * 2
    assert leads[0]["identity_key"] != leads[1]["identity_key"]
    mended = {"vid": 1, "properties": {"firstname": "M", "email": "m@example.org"}}
    assert (await send(ingest, hubspot, json.dumps(mended).encode()))[0] == 200
    states = await ingest.rows("SELECT state FROM reporting.quarantine ORDER BY lead_id")
    assert [row["state"] for row in states] == ["released", "waiting"]

    status, retry_after = await send(ingest, hubspot)
    assert status == 429
    assert 3_500_000 < int(retry_after) <= 3_600_000  # HubSpot reads milliseconds


async def test_meta_verifies_the_address_and_its_leads_are_fetched(ingest: System, graph_api: GraphApi) -> None:
    """With the access token that is still good; a lead that cannot be had stands there with its reason.

    Those that are fetched are looked at as all others are.
    """
    path = ingest.url("ingest", "/v1/partners/meta")
    question = {"hub.mode": "subscribe", "hub.verify_token": "verify", "hub.challenge": "1158201444"}
    async with ingest.http.get(path, params=question) as answer:
        assert (answer.status, await answer.text()) == (200, "1158201444")
    async with ingest.http.get(path, params={**question, "hub.verify_token": "guess"}) as answer:
        assert answer.status == 401
    async with ingest.http.get(ingest.url("ingest", "/v1/partners/twilio"), params=question) as answer:
        assert answer.status == 404

    meta = PARTNERS["meta"]
    both = meta.document()
    (change,) = both["entry"][0]["changes"]
    both["entry"][0]["changes"].append({"field": "leadgen", "value": {**change["value"], "leadgen_id": "7"}})
    status, text = await send(ingest, meta, json.dumps(both).encode())
    assert (status, json.loads(text)["to_fetch"]) == (200, 2)
    await ingest.wait_for_rows("SELECT 1 FROM reporting.leads")
    (lead,) = await stored(ingest)
    assert (lead["contact"]["email"], lead["campaign"]) == ("maria@example.org", "spring")
    assert set(graph_api.asked) == {"old", "access"}
    query = "SELECT id, last_error FROM ingest.partner_references WHERE last_error IS NOT NULL"
    (kept,) = await ingest.wait_for_rows(query, role="ingest")
    assert kept == {"id": "7", "last_error": "the Graph API answered 400, error code 190; 400, error code 100"}

    change["value"]["leadgen_id"] = "8"
    await send(ingest, meta, json.dumps(both).encode())
    (suspected,) = await ingest.wait_for_rows("SELECT suspicions FROM leads WHERE suspicions <> '{}'", role="ingest")
    assert suspected == {"suspicions": ["disposable_email"]}


async def test_repeated_callbacks_of_one_call_are_one_lead(ingest: System) -> None:
    """Ringing makes none; a voicemail stays one when Twilio says that it is over; of others the newest word holds."""
    twilio = PARTNERS["twilio"]
    voicemail = {"CallStatus": "in-progress", "RecordingUrl": "https://api.twilio.com/r", "RecordingDuration": "12"}
    for changes in ({"CallStatus": "ringing"}, voicemail, {"CallStatus": "completed", "CallDuration": "30"}):
        assert (await send(ingest, twilio, twilio.changed(**changes)))[0] == 200
    (lead,) = await stored(ingest)
    assert (lead["call"]["status"], lead["call"]["recording_url"]) == ("voicemail", "https://api.twilio.com/r")

    callrail = PARTNERS["callrail"]
    for changes_ in ({"voicemail": False}, {"voicemail": True, "note": "wants an offer"}):
        assert (await send(ingest, callrail, callrail.changed(**changes_)))[0] == 200
    lead = (await stored(ingest))[1]
    assert (lead["call"]["status"], lead["fields"]["note"], bool(lead["revised"])) == (
        "voicemail",
        "wants an offer",
        True,
    )


async def test_a_call_sent_again_with_other_details_is_revised(ingest: System) -> None:
    """By `POST /v1/calls` too; the event that tells of it is what the router will hear.

    A call whose number was withheld is held back for it as a partner's is, until the number is told.
    """
    answers = []
    for changes in ({"caller": "anonymous"}, {}, {"status": "answered", "duration_seconds": 60}):
        headers = {"X-API-Key": KEYS["phone"]}
        async with ingest.http.post(
            ingest.url("ingest", "/v1/calls"), json={**CALL, **changes}, headers=headers
        ) as answer:
            answers.append((answer.status, await answer.json()))
    assert [status for status, _ in answers] == [202] * 3
    assert len({receipt["lead_id"] for _, receipt in answers}) == 1
    (quarantined,) = await ingest.rows("SELECT state, suspicions FROM reporting.quarantine")
    assert quarantined == {"state": "released", "suspicions": ["unreachable"]}
    (lead,) = await stored(ingest)
    assert (lead["call"]["status"], lead["call"]["duration"]) == ("answered", 60)
    assert lead["revised"]


BAD: list[tuple[str, Mapping[str, Any], int]] = [
    ("unknown source", {"path": "/v1/partners/nobody"}, 404),
    ("no partner's source", {"path": "/v1/partners/website"}, 404),
    ("nothing to read", {"body": b"{"}, 422),
    ("too large", {"body": b"{" + b" " * 3_000_000 + b"}"}, 413),
]


async def test_what_cannot_be_taken_is_a_problem_that_says_why(ingest: System) -> None:
    """And nothing is stored."""
    typeform = PARTNERS["typeform"]
    for name, how, expected in BAD:
        body = how.get("body", typeform.body)
        path = how.get("path", "/v1/partners/typeform")
        headers = typeform.sign(typeform.secret, body, "", datetime.now(UTC))
        async with ingest.http.post(ingest.url("ingest", path), data=BytesIO(body), headers=headers) as answer:
            problem = await answer.json()
            assert (answer.status, problem["status"]) == (expected, expected), name
            assert problem["detail"], name
    assert await stored(ingest) == []


async def test_a_partners_source_takes_nothing_by_key(ingest: System) -> None:
    """It has none."""
    async with ingest.http.post(ingest.url("ingest", "/v1/forms/typeform"), data={"email": "a@b.de"}) as answer:
        assert answer.status == 401
