"""Erasing and exporting a person, by HTTP, through Kafka and from the command line."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from tests.system import KEYS, OPERATOR_TOKEN, System, running_system
from tests.topics import from_the_beginning, message_on
from typer.testing import CliRunner, Result

from relance.clock import utc_now
from relance.events import Envelope, ErasureDone, ErasureRequested, Topic
from relance.ids import EventId, new_id
from relance.kafka.publisher import KafkaPublisher
from relance_ingest.main import command_line
from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST, ROUTER, SLA_MONITOR

LINKS = "look http://a.example and http://b.example and http://c.example"
SOURCES: dict[str, dict[str, Any]] = {"website": {"spam": {"most_links": 2}}}
MARIA = {"email": "maria.huber@example.com", "phone": "+49 30 901820"}


async def operate(system: System, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    return await system.operate(method, path, body, service=INGEST)


async def requested(system: System, count: int) -> list[tuple[str, ErasureRequested]]:
    """What the router is asked to erase: key and event, once so many are on the topic."""
    topic = system.topic_prefix + Topic.RECEIVED
    found: list[tuple[str, ErasureRequested]] = []
    async with asyncio.timeout(30), from_the_beginning(system.broker.bootstrap_servers, topic) as consumer:
        while len(found) < count:
            polled = await consumer.getmany(timeout_ms=500)
            for record in (record for records in polled.values() for record in records):
                data = Envelope.from_message(record.headers, record.value).data
                if isinstance(data, ErasureRequested):
                    found.append(((record.key or b"").decode(), data))
    return found


async def prove(system: System, erasure: ErasureRequested, *, times: int = 1) -> None:
    """What the router answers, delivered so often."""
    done = ErasureDone(
        erasure_id=erasure.erasure_id,
        part=erasure.part,
        service="router",
        rows={"leads": len(erasure.lead_ids)},
        erased_at=utc_now(),
    )
    made = Envelope(EventId(new_id()), "relance/router", str(erasure.erasure_id), utc_now(), "", done).to_message()
    message = message_on(system.topic_prefix + Topic.PRIVACY, made)
    publisher = KafkaPublisher(system.broker.bootstrap_servers, client_id="tests")
    _, failure = await publisher.publish([message] * times)
    await publisher.close()
    assert failure is None


async def test_an_erasure_is_told_to_the_router_and_complete_with_its_proof(ingest_only: System) -> None:
    """However often it is delivered; and no log names the person."""
    lead_ids = [
        await ingest_only.post_lead(email=MARIA["email"]),
        await ingest_only.post_lead(email="Maria.Huber@example.com"),
    ]
    status, exported = await operate(ingest_only, "POST", "/v1/exports", MARIA)
    assert (status, [lead["lead_id"] for lead in exported["leads"]], exported["next"]) == (200, lead_ids, None)
    body = {**MARIA, "by": "oona", "reason": "request 17"}
    status, begun = await operate(ingest_only, "POST", "/v1/erasures", body)
    assert (status, begun["complete"], begun["waiting_for"], begun["lead_ids"]) == (202, False, ["router"], lead_ids)
    ((_, asked),) = await requested(ingest_only, 1)
    assert [str(lead_id) for lead_id in asked.lead_ids] == lead_ids
    await prove(ingest_only, asked, times=2)

    async def complete() -> bool:
        _, erasure = await operate(ingest_only, "GET", f"/v1/erasures/{begun['erasure_id']}")
        return bool(erasure["complete"])

    await ingest_only.until(complete, "the erasure to be proven")
    _, proven = await operate(ingest_only, "GET", f"/v1/erasures/{begun['erasure_id']}")
    assert {done["service"]: done["rows"]["leads"] for done in proven["done"]} == {"ingest": 2, "router": 2}
    for until in ("messages_until", "dead_letters_until"):  # counted from when the router had them at the latest
        assert datetime.fromisoformat(proven[until]) > datetime.fromisoformat(begun[until])
    assert (await operate(ingest_only, "POST", "/v1/exports", MARIA))[1]["leads"] == []

    async def counted() -> bool:
        return "relance_ingest_erasures_open 0.0" in await ingest_only.metrics(INGEST)

    await ingest_only.until(counted, "the figures to say so")
    log = ingest_only.services.log(INGEST).read_text()
    assert "maria.huber" not in log.lower()
    assert "901820" not in log


async def test_what_a_replica_committed_before_it_died_is_told_by_another(ingest_only: System) -> None:
    """And the proof is taken by whoever lives."""
    await ingest_only.post_lead(email=MARIA["email"])
    await ingest_only.services.start_replica(INGEST, "ingest-2")
    url = ingest_only.services.url("ingest-2") + "/v1/erasures"
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    async with ingest_only.http.post(url, json={**MARIA, "by": "oona"}, headers=headers) as answer:
        erasure = await answer.json()
        assert answer.status == 202
    ingest_only.services.running["ingest-2"].kill()
    ((_, asked),) = await requested(ingest_only, 1)
    await prove(ingest_only, asked)

    async def complete() -> bool:
        _, found = await operate(ingest_only, "GET", f"/v1/erasures/{erasure['erasure_id']}")
        return bool(found["complete"])

    await ingest_only.until(complete, "the erasure to be proven", seconds=90)


async def test_privacy_is_operators_only_and_says_what_is_wrong(ingest_only: System) -> None:
    """401 without the token, 404, and 422 with the field."""
    url = ingest_only.url(INGEST, "/v1/exports")
    async with ingest_only.http.post(url, json=MARIA, headers={"Authorization": f"Bearer {KEYS['website']}"}) as answer:
        assert answer.status == 401
    assert (await operate(ingest_only, "GET", f"/v1/erasures/{new_id()}"))[0] == 404
    status, problem = await operate(ingest_only, "POST", "/v1/erasures", {"phone": "030 901820", "by": "oona"})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/phone")
    assert "+49" in problem["errors"][0]["detail"]
    assert (await operate(ingest_only, "POST", "/v1/exports", {}))[0] == 422


async def test_an_operator_erases_from_the_command_line(
    ingest_only: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Asked first, told how many; waits for the proof; says when another service cannot be asked."""
    monkeypatch.setenv("RELANCE_URL", ingest_only.url(INGEST, ""))
    monkeypatch.setenv("RELANCE_OPERATOR_TOKEN", OPERATOR_TOKEN)
    monkeypatch.setenv("RELANCE_ROUTER_URL", "http://127.0.0.1:9")

    async def type_in(*arguments: str, answering: str = "") -> Result:
        return await asyncio.to_thread(CliRunner().invoke, command_line, ["person", *arguments], input=answering)

    await ingest_only.post_lead(email=MARIA["email"])
    her = ("--email", MARIA["email"])
    to = tmp_path / "maria.json"
    away = await type_in("export", *her, "--to", str(to))
    assert (away.exit_code, "RELANCE_ROUTER_URL" in away.stderr, to.exists()) == (2, True, False)
    kept = await type_in("erase", *her, answering="n\n")
    assert (kept.exit_code, "in every service: 1." in kept.output) == (1, True)
    nobody = await type_in("erase")
    assert (nobody.exit_code, "--email" in nobody.stderr) == (2, True)
    erasing = asyncio.create_task(type_in("erase", *her, "--yes", "--json", "--because", "request 17"))
    ((_, asked),) = await requested(ingest_only, 1)
    await prove(ingest_only, asked)
    erased = await erasing
    assert erased.exit_code == 0, erased.output
    found = json.loads(erased.stdout)
    assert (found["complete"], found["reason"]) == (True, "request 17")
    shown = await type_in("status", found["erasure_id"])
    assert (shown.exit_code, "complete. Leads: 1" in shown.stdout) == (0, True)
    unproven = await ingest_only.post_lead(email=MARIA["email"])
    late = await type_in("erase", *her, "--yes", "--wait", "0")
    assert (late.exit_code, "waiting for router" in late.stdout) == (1, True), unproven


KEY = Fernet.generate_key().decode()


@pytest.mark.parametrize("keys", [["", KEY], [KEY]], ids=["plain", "sealed"])
async def test_a_person_is_exported_and_then_erased_across_all_services(
    real_parts: tuple[DatabaseServer, Broker],
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: list[str],
) -> None:
    """With proof; afterwards no table of any schema holds them, and others are let be. The quarantined never left."""
    environment = {"PERSONAL_DATA_KEYS": json.dumps(keys)}
    async with running_system(real_parts, database, tmp_path, sources=SOURCES, environment=environment) as system:
        said = {"team": "sales", "message": "Zuckermandl calls back"}
        her: dict[str, Any] = {**MARIA, "name": "Maria Zuckermandl", "fields": said}
        answered, declined = [await system.post_lead(**her) for _ in range(2)]
        quarantined = await system.post_lead(**{**her, "fields": {"message": LINKS}})
        other = await system.post_lead(name="Ben Other", fields={"team": "sales"})
        await system.answer(await system.told(answered), "contacted")
        await system.answer(await system.told(declined), "decline", "Zuckermandl is my aunt")
        await system.told(declined, times=2)
        await system.told(other)
        monkeypatch.setenv("RELANCE_OPERATOR_TOKEN", OPERATOR_TOKEN)
        monkeypatch.setenv("RELANCE_URL", system.url(INGEST, ""))
        monkeypatch.setenv("RELANCE_ROUTER_URL", system.url(ROUTER, ""))
        monkeypatch.setenv("RELANCE_SLA_MONITOR_URL", system.url(SLA_MONITOR, ""))

        async def type_in(*arguments: str) -> Any:
            arguments = ("person", *arguments, "--email", MARIA["email"])
            result = await asyncio.to_thread(CliRunner().invoke, command_line, arguments)
            assert result.exit_code == 0, result.output
            return json.loads(result.stdout)

        exported = await type_in("export")
        assert [lead["lead_id"] for lead in exported["ingest"]] == [answered, declined, quarantined]
        assert "Zuckermandl is my aunt" in json.dumps(exported["router"])
        assert "Ben Other" not in json.dumps(exported)
        assert ("Zuckermandl" in await _everything(system)) == (not keys[0])
        erased = await type_in("erase", "--yes", "--json")
        assert {done["service"]: done["rows"]["leads"] for done in erased["done"]} == {"ingest": 3, "router": 2}
        await system.wait_for_rows("SELECT 1 WHERE NOT EXISTS (SELECT FROM router.outbox)", role="router")
        left = await _everything(system)
        for word in ("zuckermandl", MARIA["email"], "49309018", "a.example"):
            assert word not in left.lower(), word
        assert ("Ben Other" in left) == (not keys[0])
        assert (await type_in("export"))["ingest"] == []


async def _everything(system: System) -> str:
    """Every row of every table of the three services, as text."""
    found: list[str] = []
    for role in ("ingest", "router", "sla"):
        tables = await system.rows("SELECT tablename FROM pg_tables WHERE schemaname = $1", role, role=role)
        for name in (f"{role}.{table['tablename']}" for table in tables):
            rows = await system.rows(f"SELECT CAST(t AS text) AS row FROM {name} t", role=role)
            found += [f"{name} {row['row']}" for row in rows]
    return "\n".join(found)
