"""Invariant 7 of the running system: whatever befalls a lead, no log, metric or dead letter's reason names the person.

The person comes in by every door, right and wrong, and meets every kind of failure. Then everything is searched that
the services have written.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer
from tests.http_servers import answering
from tests.partner_requests import PARTNERS, SAMPLES
from tests.system import KEYS, LINK_SECRET, OPERATOR_TOKEN, WEBHOOK_SECRET, System, routing, running_system
from tests.topics import first_messages
from yarl import URL

from relance import ids, tracing
from relance.clock import utc_now
from relance.events import Contact, Envelope, Topic
from relance_ingest.acceptance import NewLead
from relance_ingest.acceptance.events import envelope, received
from relance_ingest.domain.pseudonyms import Pseudonyms
from relance_local.broker import Broker
from relance_local.conditions import free_port
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST, ROUTER, SLA_MONITOR

SITE = "https://www.example.com"
PERSON = {"name": "Zebulon Quux", "email": "Zebulon@Quux.example", "phone": "030 8765-4321", "company": "Quuxwerke"}
SAID = {"message": "I live in Plumbusgasse 17, call me: +49 (30) 8765 4321", "home_address": "Plumbusgasse 17"}
BY_HAND = "Zebulon Quux of Plumbusgasse 17 is a friend, zebulon@quux.example"
ADDRESS = "203.0.113.77"
CAPTCHA_SECRET = "a captcha's secret"
WORDS = (
    # The person, in whatever spelling.
    "zebulon", "quux", "plumbus", "87654321", "8765 4321", "8765-4321", "8765%204321", "8765+4321", ADDRESS,
    # The person of the partners' samples.
    "maria", "huber", "example.org", "1711234567", "171 1234567", "171+1234567", "171%201234567",
    # Secrets.
    *KEYS.values(), OPERATOR_TOKEN, LINK_SECRET, WEBHOOK_SECRET, CAPTCHA_SECRET, "a secret of tests",
)  # fmt: skip
META = {"verify_token_from": "RELANCE_META_VERIFY", "access_token_from": "RELANCE_META_ACCESS"}
SOURCES: dict[str, dict[str, Any]] = {
    "website": {"forms": {"origins": [SITE]}, "spam": {"honeypot": "website_url"}},
    "ads": {"spam": {"limits": {"per_address": "2/minute", "per_source": "2/minute"}}},
    **{
        kind: {
            "default_country": "DE",
            "partner": {"kind": kind, "secret_from": f"RELANCE_{kind.upper()}", **(META if kind == "meta" else {})},
        }
        for kind in PARTNERS
    },
}
# What PostgreSQL says of a row that it refuses has the row in it.
REFUSED = "ALTER TABLE {schema}.leads ADD CONSTRAINT refused CHECK (data ->> 'campaign' <> '{schema}-refuses')"


@pytest.fixture
async def others() -> AsyncIterator[int]:
    """Meta's Graph API, which knows one lead, and a captcha's provider, which fails; their port."""
    captchas = 0

    async def lead(request: web.Request) -> web.Response:
        known = request.match_info["lead"] == "123123123123"
        said = SAMPLES / "meta_lead.json"
        return web.json_response(
            json.loads(said.read_text()) if known else {"error": PERSON}, status=200 if known else 400
        )

    async def siteverify(request: web.Request) -> web.Response:
        nonlocal captchas
        captchas += 1
        said = {"success": False, "error-codes": ["invalid-input-secret"], "asked": dict(await request.post())}
        return web.json_response(said, status=200 if captchas == 1 else 500)

    port = free_port()
    async with answering(port, web.get("/{lead}", lead), web.post("/siteverify", siteverify)):
        yield port


async def test_nothing_that_services_write_names_a_person(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path, others: int
) -> None:
    """Searched: all that processes say at debug level, metrics, what Grafana may read, and why dead letters died."""
    environment = {
        **{sample.kind.upper(): sample.secret for sample in PARTNERS.values()},
        "META_VERIFY": "verify",
        "META_ACCESS": "access",
        "META_GRAPH_URL": f"http://127.0.0.1:{others}",
        "CAPTCHA_SECRET": CAPTCHA_SECRET,
        "TRUSTED_PROXIES": '["127.0.0.1"]',
        "LOG_LEVEL": "debug",
    }
    captcha = {
        "kind": "hcaptcha",
        "secret_env": "RELANCE_CAPTCHA_SECRET",
        "verify_url": f"http://127.0.0.1:{others}/siteverify",
    }
    sources = {**SOURCES, "ads": {"spam": {**SOURCES["ads"]["spam"], "captcha": captcha}}}
    async with running_system(real_parts, database, tmp_path, sources=sources, environment=environment) as system:
        teams = {"sales": ["anna", "ben"], "nobody": ["gil"]}
        await system.apply_routing(routing(system.endpoints, teams, reps={"gil": {"available": False}}))
        system.endpoints.echoes = True
        tokens = [
            *await by_every_door(system),
            *await through_the_quarantine(system),
            *await to_reps_who_answer(system),
        ]
        await to_nobody(system)
        await refused_at_every_door(system)
        await refused_by_databases(system)
        await poisoned(system)
        reasons = await reasons_of_dead_letters(system, {ROUTER: 5, SLA_MONITOR: 2})
        said = ""
        for view in await system.rows("SELECT viewname FROM pg_views WHERE schemaname = 'reporting'"):
            said += str(await system.rows(f"SELECT * FROM reporting.{view['viewname']}"))
        await who_asks_for_their_data(system)
        said += "\n".join(system.services.log(name).read_text() for name in system.services.running)
        said += "".join([await system.metrics(name) for name in system.services.running])
    for proof in (
        "request failed",
        "batch refused",
        "message buried",
        "lead not fetched",
        "notification attempt",
        "captcha provider refuses us",
        "captcha provider away",
    ):
        assert proof in said
    written = (said + reasons).lower()
    found = {word: written.find(word.lower()) for word in (*WORDS, *tokens)}
    leaks = {word: written[max(0, at - 300) : at + 100] for word, at in found.items() if at >= 0}
    assert leaks == {}


async def post(system: System, path: str, status: int, key: str | None = "website", **request: Any) -> Any:
    """A request to ingest that must be answered so; its answer."""
    headers = {"X-Forwarded-For": ADDRESS, "User-Agent": "Zebulon's phone", **request.pop("headers", {})}
    if key:
        headers["Authorization"] = f"Bearer {KEYS[key]}"
    async with system.http.post(system.url(INGEST, path), headers=headers, allow_redirects=False, **request) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return json.loads(text) if answer.content_type.endswith("json") else text


async def by_every_door(system: System) -> list[str]:
    """As JSON, by script, without script, with a file, by telephone, and from partners."""
    lead = {**PERSON, "campaign": "spring", "fields": SAID}
    await post(system, "/v1/leads?email=zebulon@quux.example", 202, json=lead, headers={"Idempotency-Key": "Zebulon"})
    await post(system, "/v1/leads", 422, json={**lead, "name": "Quux"}, headers={"Idempotency-Key": "Zebulon"})
    form = {**PERSON, **SAID}
    page = {"Origin": SITE, "Referer": f"{SITE}/zebulon", "Accept": "application/json"}
    await post(system, "/v1/forms/website", 202, None, data=form, headers=page)
    await post(system, "/v1/forms/website", 303, None, data=form, headers={**page, "Accept": "text/html"})
    files = aiohttp.FormData(form)
    files.add_field("cv", b"Zebulon Quux", filename="zebulon-quux.pdf")
    await post(system, "/v1/forms/website", 422, None, data=files, headers=page)
    call = {
        "call_id": "zebulon",
        "caller": PERSON["phone"],
        "called_number": "030 12345678",
        "status": "missed",
        "started_at": "2026-11-24T10:00:00+01:00",
        "duration_seconds": 0,
        "name": PERSON["name"],
    }
    await post(system, "/v1/calls", 202, "phone", json=call)
    for sample in PARTNERS.values():
        url = URL(system.url(INGEST, f"/v1/partners/{sample.kind}"))
        for body, status in ((sample.body, 200), (sample.body + b"{ Zebulon Quux", None)):
            for secret in (sample.secret, "whsec_b3RoZXI="):
                headers = {
                    "Content-Type": sample.content_type,
                    **sample.sign(secret, body, str(url), datetime.now(UTC)),
                }
                async with system.http.post(url, data=body, headers=headers) as answer:
                    assert status is None or secret != sample.secret or answer.status == status, await answer.text()
    unknown = PARTNERS["meta"].body.replace(b"123123123123", b"7")
    signed = PARTNERS["meta"].sign(PARTNERS["meta"].secret, unknown, "", datetime.now(UTC))
    await post(system, "/v1/partners/meta", 200, None, data=unknown, headers=signed)
    await system.wait_for_rows("SELECT FROM reporting.leads WHERE source = 'meta'")
    await system.wait_for_rows("SELECT FROM ingest.partner_references WHERE last_error IS NOT NULL", role="ingest")
    return []


async def through_the_quarantine(system: System) -> list[str]:
    """Suspected, looked at, and released for a reason."""
    page = {"Origin": SITE, "Accept": "application/json"}
    lead = await post(
        system,
        "/v1/forms/website",
        202,
        None,
        data={**PERSON, **SAID, "website_url": "https://quux.example"},
        headers=page,
    )
    status, shown = await system.operate("GET", "/v1/quarantine", service=INGEST)
    assert (status, len(shown["leads"])) == (200, 1)
    order = {"by": "oona", "reason": BY_HAND}
    status, _ = await system.operate("POST", f"/v1/quarantine/{lead['lead_id']}/release", order, service=INGEST)
    assert status == 200
    await system.told(lead["lead_id"])
    return []


async def to_reps_who_answer(system: System) -> list[str]:
    """A webhook that fails and says what it was sent; answers and orders in somebody's own words. Tokens of answers."""
    lead = await post(system, "/v1/leads", 202, json={**PERSON, "fields": {**SAID, "team": "sales"}})
    told = await system.told(lead["lead_id"])
    system.endpoints.answers_with = dict.fromkeys(("rep:anna", "rep:ben", "manager:sales"), 500)
    order = {"by": "oona", "reason": BY_HAND}
    status, moved = await system.operate("POST", f"/v1/leads/{lead['lead_id']}/reassign", order)
    assert status == 200, moved
    second = await system.told(lead["lead_id"], times=2)
    for what, more in (("extend", {"by_how_long": "1h"}), ("hold", {})):
        status, done = await system.operate("POST", f"/v1/leads/{lead['lead_id']}/{what}", {**order, **more})
        assert status == 200, done
    assert (await system.operate("POST", "/v1/reps/anna/pause", {"because": BY_HAND, "by": "oona"}))[0] == 200
    assert (await system.operate("POST", "/v1/reps/anna/resume", {"by": "oona"}))[0] == 200
    tokens = [each.data["answer"]["token"] for each in (told, second)]
    headers = {"Authorization": f"Bearer {tokens[1]}"}
    for answer, body, wanted in (
        ("contacted", {"note": BY_HAND}, 200),
        ("rejected", {"reason": "not_a_fit", "note": BY_HAND}, 200),
        ("rejected", {"reason": BY_HAND}, 422),
        ("rejected", {"zebulon": BY_HAND}, 422),
    ):
        async with system.http.post(second.data["answer"][answer], json=body, headers=headers) as response:
            assert response.status == wanted, await response.text()
    for token in tokens:
        page = system.url(ROUTER, f"/a/{token}")
        async with system.http.get(page) as opened, system.http.post(page, data={"note": BY_HAND}) as pressed:
            assert {opened.status, pressed.status} <= {200, 410, 422}
    failed = "SELECT FROM router.delivery_attempts WHERE status = 500 AND response IS NOT NULL"
    await system.wait_for_rows(failed, role="router")
    system.endpoints.answers_with = {}
    return tokens


async def to_nobody(system: System) -> None:
    """Nobody is there for it."""
    lead = await post(system, "/v1/leads", 202, json={**PERSON, "fields": {**SAID, "team": "nobody"}})
    await system.wait_for_rows("SELECT FROM reporting.unrouted WHERE lead_id = $1::text::uuid", lead["lead_id"])
    for service in (ROUTER, SLA_MONITOR):
        path = f"/v1/leads/{lead['lead_id']}/{'explanation' if service == ROUTER else 'clocks'}"

        async def known(service: str = service, path: str = path) -> bool:
            return (await system.operate("GET", path, service=service))[0] == 200

        await system.until(known, f"{service} to know the lead")


async def refused_at_every_door(system: System) -> None:
    """Nobody's, wrong in a field, no JSON, too large, too many, of another site, at no address."""
    lead = {**PERSON, "fields": SAID}
    await post(system, "/v1/leads", 401, None, json=lead)
    await post(system, "/v1/leads", 401, None, json=lead, headers={"X-API-Key": "Zebulon Quux"})
    await post(system, "/v1/leads", 422, json={**lead, "email": "zebulon@", "Zebulon": "Quux", "country": "Plumbus"})
    await post(system, "/v1/leads", 422, json={**lead, "name": "Zebulon\0Quux"})
    await post(system, "/v1/leads", 400, data=b'{"name": "Zebulon Quux', headers={"Content-Type": "application/json"})
    await post(system, "/v1/leads", 413, json={**lead, "name": "Zebulon" * 100_000})
    await post(system, "/v1/leads/zebulon@quux.example", 404, json=lead)
    await post(system, "/v1/forms/website", 403, None, data=lead["fields"], headers={"Origin": "https://quux.example"})
    await post(system, "/v1/forms/website", 422, None, data=PERSON | {"email": "zebulon"}, headers={"Origin": SITE})
    solved = {**PERSON, "h-captcha-response": "solved by Zebulon"}
    for status in (202, 202, 429):
        await post(system, "/v1/forms/ads", status, "ads", data=solved, headers={"Accept": "application/json"})
    url = system.url(INGEST, "/v1/leads")
    async with system.http.request("ZEBULON", url, json=lead) as answer:
        assert answer.status in {400, 405}
    for service in (ROUTER, SLA_MONITOR):
        for path in ("/zebulon@quux.example", "/v1/leads/zebulon"):
            assert (await system.operate("POST", path, lead, service=service))[0] in {404, 405, 422}


async def refused_by_databases(system: System) -> None:
    """A row that a table does not take, and connections that end."""
    for schema in (INGEST, ROUTER):
        await system.rows(REFUSED.format(schema=schema), role=schema)
    # A server that failed closes the connection.
    closed = {"Connection": "close"}
    refused = {**PERSON, "campaign": "ingest-refuses", "fields": SAID}
    await post(system, "/v1/leads", 500, json=refused, headers=closed)
    await post(system, "/v1/leads", 202, json=refused | {"campaign": "router-refuses"})
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND datname = current_database()"
    for role in ("ingest", "router", "sla"):
        await system.rows(cut, role, role="postgres")
        async with system.http.post(
            system.url(INGEST, "/v1/leads"), json=PERSON, headers={"X-API-Key": KEYS["website"]}
        ) as answer:
            assert answer.status in {202, 503}


async def poisoned(system: System) -> None:
    """Messages that can never be handled: no JSON, another shape, text that PostgreSQL cannot keep, no event."""
    contact = Contact(name=PERSON["name"], email="zebulon@quux.example", phone="+493087654321")

    def message(**fields: str) -> Envelope:
        lead = NewLead("website", "form", "spring", contact, SAID | fields)
        told = received(lead, ids.LeadId(ids.new_id()), utc_now(), Pseudonyms())
        return envelope(told, utc_now(), tracing.current(), ids.new_id)

    good = message().to_message()
    shapeless = json.loads(good.value) | {
        "contact": PERSON | {"Zebulon": "Quux"},
        "received_at": "Zebulon",
        "plumbus": 1,
    }
    poison = [
        good.value[:-30],
        json.dumps(shapeless).encode(),
        message(nul="Zebulon\0Quux").to_message().value,
        b'{"name": "Zebulon Quux"}',
    ]
    producer = AIOKafkaProducer(bootstrap_servers=system.broker.bootstrap_servers)
    await producer.start()
    try:
        for topic, values in ((Topic.RECEIVED, poison), (Topic.ASSIGNMENTS, poison[:2])):
            for value in values:
                headers = good.headers | {"ce_id": str(ids.new_id()).encode()}
                await producer.send_and_wait(
                    system.topic_prefix + topic, value, good.key.encode(), headers=list(headers.items())
                )
    finally:
        await producer.stop()


async def who_asks_for_their_data(system: System) -> None:
    """And to be forgotten: as they should, and wrong."""
    person = {"email": "zebulon@quux.example", "phone": "+493087654321"}
    order = {**person, "by": "oona", "reason": BY_HAND}
    for path, asked in (("/v1/exports", person), ("/v1/erasures", order)):
        await post(system, path, 401, json=asked)
        for wrong in ({"email": "zebulon@"}, {"phone": "87654321"}, {"Zebulon": "Quux"}):
            assert (await system.operate("POST", path, {**asked, **wrong}, service=INGEST))[0] == 422
        status, found = await system.operate("POST", path, asked, service=INGEST)
        assert (status, len(found.get("leads", found.get("lead_ids"))) > 1) in {(200, True), (202, True)}, found

    async def complete() -> bool:
        status, erasure = await system.operate("GET", f"/v1/erasures/{found['erasure_id']}", service=INGEST)
        assert status == 200
        return bool(erasure["complete"])

    await system.until(complete, "the erasure to be proven")


async def reasons_of_dead_letters(system: System, counts: dict[str, int]) -> str:
    """Why each died: every header of ours, once so many have died."""
    told: list[str] = []
    for group, count in counts.items():
        topic = f"{system.topic_prefix}{group}.dlq"
        letters = await first_messages(system.broker.bootstrap_servers, topic, count)
        told += [
            f"{name}: {value.decode()}" for each in letters for name, value in each.headers if name.startswith("dlq")
        ]
    assert any("dlq_reason" in each for each in told)
    return "\n".join(told)
