"""Spam, from the form to the quarantine and back, by HTTP and through Kafka."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.http_servers import answering
from tests.system import KEYS, OPERATOR_TOKEN, THANKS, System, running_system
from typer.testing import CliRunner, Result

from relance_ingest.main import command_line
from relance_local.broker import Broker
from relance_local.conditions import free_port
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST

LINKS = "look http://a.example and http://b.example and http://c.example"
SOURCES: dict[str, dict[str, Any]] = {
    "website": {
        "spam": {
            "honeypot": "website_url",
            "form_token": {"min_fill": 0, "max_age": 3600},
            "disposable_mail": {"allow": ["mailinator.com"], "block": ["example.org"]},
            "most_links": 2,
            "repeated_content": {"people": 3},
            "limits": {"per_address": "1000/minute", "per_source": "1000/minute"},
        }
    },
    "ads": {"spam": {"form_token": {"required": True, "min_fill": 3600}}},
}


async def test_a_second_click_sends_no_second_lead(ingest: System) -> None:
    """Of one page view the same is one lead; mended, from another page, or with no token it is another."""
    loaded, again = await token(ingest), await token(ingest)
    form = {"_key": KEYS["website"], "email": "maria@example.com", "message": "hello"}

    async def lead_id(**changes: str) -> str:
        async with ingest.http.post(
            ingest.url(INGEST, "/v1/forms/website"), data=form | changes, headers={"Accept": "application/json"}
        ) as answer:
            assert answer.status == 202, await answer.text()
            return str((await answer.json())["lead_id"])

    first, second = await asyncio.gather(lead_id(_token=loaded), lead_id(_token=loaded))
    assert first == second
    others = [
        await lead_id(_token=loaded, message="hello, please"),
        await lead_id(_token=again),
        await lead_id(_token="made up"),
        await lead_id(_token="made up"),
        await lead_id(_token=loaded, _idempotency_key="mine"),
    ]
    assert len({first, *others}) == 1 + len(others)


@pytest.fixture
async def ingest(real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path) -> AsyncIterator[System]:
    """Ingest alone, with sources that look at what comes."""
    async with running_system(real_parts, database, tmp_path, services=[INGEST], sources=SOURCES) as running:
        yield running


async def submit(system: System, *, source: str = "website", **fields: str) -> str:
    """A form that must be accepted; returns the lead's id."""
    form = {"_key": KEYS[source], "email": f"{uuid.uuid4().hex}@example.com", **fields}
    url = system.url(INGEST, f"/v1/forms/{source}")
    async with system.http.post(url, data=form, headers={"Accept": "application/json"}) as answer:
        receipt = await answer.json()
        assert (answer.status, receipt["repeated"]) == (202, False), receipt
        return str(receipt["lead_id"])


async def token(system: System, source: str = "website") -> str:
    """A form's token."""
    async with system.http.get(system.url(INGEST, f"/v1/forms/{source}/token")) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
        return str((await answer.json())["token"])


async def suspected(system: System, lead_id: str) -> list[str]:
    """What the lead was suspected for."""
    (row,) = await system.rows("SELECT suspicions FROM ingest.leads WHERE id = $1", uuid.UUID(lead_id), role="ingest")
    return list(row["suspicions"])


async def operate(system: System, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    return await system.operate(method, f"/v1/quarantine{path}", body, service=INGEST)


async def test_a_quarantined_lead_is_told_to_nobody_until_it_is_released(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """Then it goes the way of every lead, with the time at which it really came."""
    async with running_system(real_parts, database, tmp_path, sources=SOURCES) as system:
        spam = await submit(system, website_url="http://spam.example", team="sales", name="Maria")
        honest = await submit(system, team="sales")
        await system.told(honest)

        async def published() -> bool:
            return not await system.rows("SELECT FROM ingest.outbox", role="ingest")

        await system.until(published, "all that ingest tells to be published")
        assert system.endpoints.assignments_of(spam) == []
        _, listed = await operate(system, "GET", "")
        (lead,) = listed["leads"]
        assert (lead["lead_id"], lead["contact"]["name"], lead["state"]) == (spam, "Maria", "waiting")
        assert lead["reasons"] == [{"reason": "honeypot", "words": "A field was filled in that people do not see."}]
        for _ in range(2):
            status, released = await operate(system, "POST", f"/{spam}/release", {"by": "oona"})
            assert (status, released["state"], released["decided"]["by"]) == (200, "released", "oona")
        told = await system.told(spam)
        assert told.data["lead"]["received_at"] == lead["received_at"]
        await system.told(await submit(system, team="sales"))
        assert len(system.endpoints.assignments_of(spam)) == 1
        (row,) = await system.rows("SELECT * FROM reporting.quarantine")
        assert (row["source"], row["suspicions"], row["state"]) == ("website", ["honeypot"], "released")
        metrics = await system.metrics(INGEST)
        assert 'relance_ingest_quarantined_total{reason="honeypot",source="website"} 1.0' in metrics
        assert 'relance_ingest_quarantine_decisions_total{decision="released",source="website"} 1.0' in metrics


async def test_a_spammer_is_answered_like_anybody(ingest: System) -> None:
    """In every way that a form is answered."""
    for accept in ("text/html", "application/json"):
        answers = []
        for bait in ("", "http://spam.example"):
            form = {"_key": KEYS["website"], "email": "maria@example.com", "website_url": bait}
            async with ingest.http.post(
                ingest.url(INGEST, "/v1/forms/website"), data=form, headers={"Accept": accept}, allow_redirects=False
            ) as answer:
                body = await answer.text()
                keys = sorted(json.loads(body)) if body else []
                names = sorted(name for name in answer.headers if name != "Date")
                answers.append((answer.status, answer.headers.get("Location"), keys, names))
        assert answers[0] == answers[1]
        assert answers[0][:2] in {(303, THANKS), (202, None)}


async def test_every_signal_quarantines_and_none_is_stored_with_the_lead(ingest: System) -> None:
    """An honest lead has none."""
    fresh = await token(ingest, "ads")
    assert await suspected(ingest, await submit(ingest, source="ads", _token=fresh)) == ["filled_too_fast"]
    used = await token(ingest)
    honest = await submit(ingest, _token=used, message="I would like to hear about your offer.")
    assert await suspected(ingest, honest) == []
    assert await suspected(ingest, await submit(ingest, _token=used)) == ["token_replayed"]
    foreign = await token(ingest, "ads")
    assert await suspected(ingest, await submit(ingest, _token=foreign)) == ["token_invalid"]
    assert await suspected(ingest, await submit(ingest, source="ads")) == ["token_missing"]
    assert await suspected(ingest, await ingest.post_lead(source="ads")) == ["token_missing"]
    assert await suspected(ingest, await submit(ingest, email="a@yopmail.com")) == ["disposable_email"]
    assert await suspected(ingest, await submit(ingest, email="a@mailinator.com")) == []
    assert await suspected(ingest, await submit(ingest, email="a@sub.example.org")) == ["disposable_email"]
    assert await suspected(ingest, await submit(ingest, message=LINKS)) == ["too_many_links"]
    rows = await ingest.rows("SELECT data->'fields' AS fields FROM ingest.leads", role="ingest")
    assert {name for row in rows for name in json.loads(row["fields"])} == {"message"}


async def test_the_same_text_is_suspect_from_the_third_person_on_over_replicas(ingest: System) -> None:
    """However it is spaced and capitalised; the same person may say it again."""
    texts = [
        "Earn money from home, fast and easy!",
        "EARN money from  home fast and easy",
        "earn money from home. fast",
    ]
    texts[2] += " and easy"
    await ingest.services.start_replica(INGEST, "ingest-2")
    assert await suspected(ingest, await submit(ingest, email="a@example.com", message=texts[0])) == []
    assert await suspected(ingest, await submit(ingest, email="a@example.com", message=texts[0])) == []
    assert await suspected(ingest, await submit(ingest, email="b@example.com", message=texts[1])) == []
    form = {"_key": KEYS["website"], "email": "c@example.com", "message": texts[2]}
    url = ingest.services.url("ingest-2") + "/v1/forms/website"
    async with ingest.http.post(url, data=form, headers={"Accept": "application/json"}) as answer:
        lead_id = (await answer.json())["lead_id"]
    assert await suspected(ingest, lead_id) == ["repeated_content"]


async def test_a_captcha_is_asked_of_its_provider_and_its_silence_lets_nobody_through(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """Nor is anybody refused for it, nor suspected who sends the same again after a 503: an answer counts once."""
    port = free_port()
    solved = ["solved", "solved too"]

    async def siteverify(request: web.Request) -> web.Response:
        form = await request.post()
        answer = str(form["response"])
        success = form["secret"] == "our secret" and answer in solved
        if success:
            solved.remove(answer)
        return web.json_response({"success": success})

    url = f"http://127.0.0.1:{port}/siteverify"
    captcha = {"kind": "turnstile", "secret_env": "RELANCE_CAPTCHA_SECRET", "verify_url": url}
    async with running_system(
        real_parts,
        database,
        tmp_path,
        services=[INGEST],
        sources={"website": {"spam": {"captcha": captcha}}},
        environment={"CAPTCHA_SECRET": "our secret", "DATABASE_TIMEOUT": "PT1S"},
    ) as system:
        form = {"_key": KEYS["website"], "_idempotency_key": "k", "cf-turnstile-response": "solved too"}
        form["email"] = "maria@example.com"
        url, headers = system.url(INGEST, "/v1/forms/website"), {"Accept": "application/json"}
        answers: tuple[dict[str, str], ...] = (
            {"cf-turnstile-response": "solved"},
            {"cf-turnstile-response": "guessed"},
            {},
        )
        async with answering(port, web.post("/siteverify", siteverify)):
            connection = await system.server.connect(system.database, "ingest")
            async with connection.transaction():
                await connection.execute("LOCK TABLE ingest.leads")
                async with system.http.post(url, data=form, headers=headers) as answer:
                    assert (answer.status, solved) == (503, ["solved"])
            await connection.close()
            async with system.http.post(url, data=form, headers=headers) as answer:
                assert await suspected(system, (await answer.json())["lead_id"]) == []
            found = [await suspected(system, await submit(system, **answer)) for answer in answers]
            assert found == [[], ["captcha_failed"], ["captcha_failed"]]
        assert await suspected(system, await submit(system, **answers[0])) == ["captcha_unavailable"]
        assert "our secret" not in system.services.log(INGEST).read_text()


async def test_the_quarantine_is_operators_only_and_says_what_it_cannot_do(ingest: System) -> None:
    """401 without the token; 404, 409 and 422 with a sentence."""
    url = ingest.url(INGEST, "/v1/quarantine")
    async with ingest.http.get(url, headers={"Authorization": f"Bearer {KEYS['website']}"}) as answer:
        assert answer.status == 401
    async with ingest.http.get(url, headers={"Authorization": f"Bearer {OPERATOR_TOKEN}"}) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    honest, spam = await submit(ingest), await submit(ingest, website_url="x")
    by = {"by": "oona"}
    assert (await operate(ingest, "POST", f"/{uuid.uuid4()}/release", by))[0] == 404
    assert (await operate(ingest, "POST", f"/{honest}/release", by))[0] == 409
    assert (await operate(ingest, "POST", f"/{spam}/discard", by))[0] == 422
    assert (await operate(ingest, "POST", "/release", by))[0] == 422
    because = {**by, "reason": "casino"}
    status, discarded = await operate(ingest, "POST", f"/{spam}/discard", because)
    assert (status, discarded["state"], discarded["decided"]["reason"]) == (200, "discarded", "casino")
    assert (await operate(ingest, "POST", f"/{spam}/discard", because))[0] == 200
    assert (await operate(ingest, "POST", f"/{spam}/release", by))[1]["state"] == "released"
    assert (await operate(ingest, "POST", f"/{spam}/discard", because))[0] == 409


async def test_an_operator_judges_from_the_command_line(ingest: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """One lead, or all of a reason."""
    monkeypatch.setenv("RELANCE_URL", ingest.url(INGEST, ""))
    monkeypatch.setenv("RELANCE_OPERATOR_TOKEN", OPERATOR_TOKEN)
    monkeypatch.setenv("RELANCE_OPERATOR", "oona")

    async def type_in(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, command_line, ["quarantine", *arguments])

    baited = [await submit(ingest, website_url="x", name="Maria Huber") for _ in range(3)]
    linked = await submit(ingest, message=LINKS)
    shown = await type_in("list")
    assert shown.exit_code == 0, shown.output
    assert all(lead_id in shown.stdout for lead_id in [*baited, linked])
    assert "Maria Huber" in shown.stdout
    assert (await type_in("release", baited[0], "--because", "I know her")).stdout == "released: 1\n"
    assert (await type_in("discard", "--suspected", "honeypot", "--because", "casino")).stdout == "discarded: 2\n"
    left = json.loads((await type_in("list", "--json")).stdout)
    assert [lead["lead_id"] for lead in left["leads"]] == [linked]
    nothing = await type_in("release", str(uuid.uuid4()))
    assert (nothing.exit_code, "There is no lead" in nothing.stderr) == (1, True)
    unsaid = await type_in("release")
    assert (unsaid.exit_code, "--all" in unsaid.stderr) == (2, True)
    assert (await type_in("release", "--all")).stdout == "released: 1\n"
    monkeypatch.setenv("RELANCE_OPERATOR_TOKEN", "wrong")
    assert (await type_in("list")).exit_code == 2
    monkeypatch.setenv("RELANCE_URL", "http://127.0.0.1:9")
    away = await type_in("list")
    assert (away.exit_code, "--url or RELANCE_URL" in away.stderr) == (2, True)
