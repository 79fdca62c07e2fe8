"""Web forms as they arrive by HTTP: from other sites, without script, with names of their own."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from tests.system import KEYS, System, running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST

SITE, OTHER = "https://www.example.com", "https://other.example.com"
THANKS = f"{SITE}/thanks"
SOURCES: dict[str, dict[str, Any]] = {
    "website": {
        "thanks_url": None,
        "forms": {
            "origins": [SITE],
            "fields": {"email": ["your-email", "E-Mail"], "name": ["first/name", "last/name"], "phone": "tel"},
            "ignore": ["submit"],
            "files": "ignore",
            "body_limit": "500kB",
        },
    },
    "ads": {"forms": {"origins": ["*"]}},
    "thankful": {"key_sha256": "0" * 64, "thanks_url": THANKS, "forms": {"origins": [SITE]}},
}
FORM = {"email": "maria@example.com", "name": "Maria Huber"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PROGRAM = {"Accept": "application/json"}
JSON_KIND = "application/problem+json"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def document(self) -> Any:
        return json.loads(self.text)

    @property
    def pointers(self) -> list[str]:
        return [fault["pointer"] for fault in self.document["errors"]]


@pytest.fixture(scope="module")
async def shared_ingest(
    real_parts: tuple[DatabaseServer, Broker], database_of_module: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """Ingest alone: `website` takes forms of one site, `ads` of any, `phone` with its key."""
    environment = {"DEMO_PAGE": "true"}
    folder = tmp_path_factory.mktemp("forms")
    async with running_system(
        real_parts, database_of_module, folder, services=[INGEST], environment=environment, sources=SOURCES
    ) as running:
        yield running


@pytest.fixture
async def ingest(shared_ingest: System) -> AsyncIterator[System]:
    """The same for all tests, with no lead."""
    yield shared_ingest
    await shared_ingest.delete_leads()


async def ask(system: System, method: str, path: str, headers: dict[str, str] | None = None, **body: Any) -> Answer:
    url = system.url(INGEST, path)
    async with system.http.request(method, url, headers=headers, allow_redirects=False, **body) as answer:
        return Answer(answer.status, answer.headers, await answer.text())


async def submit(
    system: System, data: Any, *, source: str = "website", origin: str | None = SITE, **headers: str
) -> Answer:
    sent = {**PROGRAM, **({"Origin": origin} if origin else {}), **headers}
    return await ask(system, "POST", f"/v1/forms/{source}", sent, data=data)


async def refused_origins(system: System) -> float:
    """How many requests of sites that are not listed were refused so far."""
    said = 'relance_ingest_refused_total{why="origin"} '
    lines = (await system.metrics(INGEST)).splitlines()
    return sum(float(line.removeprefix(said)) for line in lines if line.startswith(said))


async def stored(system: System) -> list[dict[str, Any]]:
    rows = await system.rows("SELECT data FROM ingest.leads ORDER BY id", role="ingest")
    return [json.loads(row["data"]) for row in rows]


async def test_a_page_of_a_listed_site_needs_no_key_and_can_read_every_answer(ingest: System) -> None:
    """Its exact origin is echoed, with errors too; no key stands in a public page."""
    accepted = await submit(ingest, FORM)
    assert accepted.status == 202
    assert accepted.document["redirect"] is None
    wrong = await submit(ingest, {**FORM, "email": "maria@"})
    assert (wrong.status, wrong.pointers) == (422, ["/email"])
    huge = await submit(ingest, {"email": "a@example.com", "text": "x" * 600_000})
    text = await submit(ingest, "hello", **{"Content-Type": "text/plain"})
    assert (huge.status, text.status) == (413, 415)
    for answer in (accepted, wrong, huge, text):
        assert answer.headers["Access-Control-Allow-Origin"] == SITE
        assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"
        assert answer.headers["Vary"] == "Origin"
    assert len(await stored(ingest)) == 1


async def test_a_page_of_another_site_is_refused_and_told_why(ingest: System) -> None:
    """Also with the key; and its script may read nothing."""
    before = await refused_origins(ingest)
    for origin in (OTHER, "http://www.example.com", "https://www.example.com.evil.example"):
        answer = await submit(ingest, {**FORM, "_key": KEYS["website"]}, origin=origin)
        assert (answer.status, answer.headers["Content-Type"]) == (403, JSON_KIND)
        assert "forms.origins" in answer.document["detail"]
        assert answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert await refused_origins(ingest) == before + 3
    assert await stored(ingest) == []


async def test_a_page_that_its_browser_does_not_name_needs_the_key(ingest: System) -> None:
    """As every page with `Referrer-Policy: same-origin`, the default of Django, has it in a form without script."""
    unknown = await submit(ingest, FORM, origin="null")
    assert unknown.status == 403
    assert "Referrer-Policy" in unknown.document["detail"]
    assert (await submit(ingest, {**FORM, "_key": "wrong"}, origin="null")).status == 401
    known = await submit(ingest, {**FORM, "_key": KEYS["website"]}, origin="null")
    assert known.status == 202
    assert "Access-Control-Allow-Origin" not in known.headers
    assert len(await stored(ingest)) == 1


async def test_programs_need_the_key_as_before(ingest: System) -> None:
    """They have no origin; and a key that is given must be right."""
    assert (await submit(ingest, FORM, origin=None)).status == 401
    assert (await submit(ingest, {**FORM, "_key": "wrong"})).status == 401
    assert (await submit(ingest, {**FORM, "_key": KEYS["website"]}, origin=None)).status == 202
    assert (await submit(ingest, {**FORM, "_key": KEYS["phone"]}, source="phone", origin=OTHER)).status == 202
    assert (await submit(ingest, FORM, source="phone", origin=OTHER)).status == 401
    assert (await submit(ingest, {**FORM, "_key": "other"}, **{"X-API-Key": KEYS["website"]})).status == 202
    assert [lead["fields"] for lead in await stored(ingest)] == [{}] * 3


async def test_every_site_may_send_where_the_source_says_so(ingest: System) -> None:
    """An explicit choice, which lets in `null` too."""
    for origin in (OTHER, "null"):
        answer = await submit(ingest, FORM, source="ads", origin=origin)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (202, origin)


async def test_a_preflight_says_yes_to_listed_sites_only(ingest: System) -> None:
    """For as long as browsers remember."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,idempotency-key"}
    yes = await ask(ingest, "OPTIONS", "/v1/forms/website", {**asked, "Origin": SITE})
    assert (yes.status, yes.text) == (204, "")
    assert yes.headers["Access-Control-Allow-Origin"] == SITE
    assert yes.headers["Access-Control-Allow-Methods"] == "POST"
    assert yes.headers["Access-Control-Allow-Headers"] == "Content-Type, Idempotency-Key"
    assert (yes.headers["Access-Control-Max-Age"], yes.headers["Vary"]) == ("7200", "Origin")
    for source, origin, status in (("website", OTHER, 403), ("phone", SITE, 403), ("nobody", SITE, 404)):
        no = await ask(ingest, "OPTIONS", f"/v1/forms/{source}", {**asked, "Origin": origin})
        assert no.status == status
        assert not [name for name in no.headers if name.startswith("Access-Control")]


async def test_a_form_keeps_its_own_names(ingest: System) -> None:
    """Mapped, joined, ignored, renamed where no rule could ask for them; faults are told by the form's names."""
    form = aiohttp.FormData(
        {
            "last/name": "Huber",
            "first/name": "Maria",
            "Your-Email": "maria@example.com",
            "tel": "030 12345678",
            "Your message": "Hello",
            "submit": "Send",
            "utm_campaign": "spring",
            "GCLID": "x1",
            "landing_page": "https://www.example.com/?utm_source=ads",
        },
        default_to_multipart=True,
        quote_fields=False,
    )
    form.add_field("cv", b"x" * 200_000, filename="maria.pdf")
    form.add_field("photo", b"", filename="")
    assert (await submit(ingest, form)).status == 202
    (lead,) = await stored(ingest)
    contact = {name: lead["contact"][name] for name in ("name", "email", "phone")}
    assert contact == {"name": "Maria Huber", "email": "maria@example.com", "phone": "+493012345678"}
    assert lead["campaign"] == "spring"
    assert lead["fields"] == {
        "Your_message": "Hello",
        "cv": "maria.pdf",
        "gclid": "x1",
        "utm_source": "ads",
        "utm_campaign": "spring",
        "landing_page": "https://www.example.com/?utm_source=ads",
    }
    wrong = await submit(ingest, {"your-email": "x@", "tel": "1", "first/name": "x" * 201, "Your message": "y" * 5001})
    assert sorted(wrong.pointers) == ["/Your message", "/first~1name"]
    assert (await submit(ingest, {"your-email": "x@", "tel": "1"})).pointers == ["/your-email", "/tel"]


async def test_files_and_too_many_fields_are_refused_by_name(ingest: System) -> None:
    """While the source says nothing of files, they are not taken; a file input left empty is no file."""
    empty = aiohttp.FormData(FORM)
    empty.add_field("cv", b"", filename="")
    assert (await submit(ingest, empty, source="ads")).status == 202
    with_file = aiohttp.FormData(FORM)
    with_file.add_field("cv", b"bytes", filename="cv.pdf")
    refused = await submit(ingest, with_file, source="ads")
    assert (refused.status, refused.pointers) == (422, ["/cv"])
    many = await submit(ingest, FORM | {f"field{place}": "x" for place in range(51)}, source="ads")
    assert (many.status, many.pointers) == (422, ["/"])
    assert "at most" not in many.document["detail"]
    assert "50 fields" in many.document["errors"][0]["detail"]
    deep = "[" * 50_000
    assert (await submit(ingest, deep, source="ads", **{"Content-Type": "application/json"})).status == 400
    endless = json.dumps(FORM | {f"field{place}": 1 for place in range(101)})
    far_too_many = await submit(ingest, endless, source="ads", **{"Content-Type": "application/json"})
    assert (far_too_many.status, far_too_many.pointers) == (422, ["/"])
    for charset in ("", "; charset=utf-8"):
        kind = {"Content-Type": f"application/x-www-form-urlencoded{charset}"}
        assert (await submit(ingest, "a%20b=1&" * 7000, source="ads", **kind)).status == 400
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await submit(ingest, "no boundary", source="ads", **broken)).status == 400
    large = await submit(ingest, FORM | {"text": "x" * 70_000}, source="ads")
    assert (large.status, "65536" in large.document["detail"]) == (413, True)
    campaign = {"utm_source": "a", "utm_medium": "b", "gclid": "c", "landing_page": "d", "referrer": "e"}
    assert (await submit(ingest, FORM | campaign | {f"f{place}": "x" for place in range(50)})).status == 202


async def test_a_browser_without_script_goes_on_to_a_page_in_its_language(ingest: System) -> None:
    """To ours while the source names none; a reload there sends nothing again."""
    answer = await submit(ingest, FORM, **BROWSER)
    assert (answer.status, answer.headers["Location"]) == (303, "website/thanks")
    for language, words in (("de-AT,en;q=0.5", "Vielen Dank"), ("fr,en;q=0.5", "Thank you")):
        page = await ask(ingest, "GET", "/v1/forms/website/thanks", {**BROWSER, "Accept-Language": language})
        assert (page.status, words in page.text) == (200, True)
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_a_script_that_sends_json_reads_the_answer_where_a_form_goes_on_to_the_page_of_the_source(
    ingest: System,
) -> None:
    """It would follow to a page of another site, which no browser lets it read; `*/*` is their default."""
    path, anything = "/v1/forms/thankful", {"Origin": SITE, "Accept": "*/*"}
    script = await ask(ingest, "POST", path, anything, json=FORM)
    assert (script.status, script.document["redirect"]) == (202, THANKS)
    form = await ask(ingest, "POST", path, anything, data=FORM)
    assert (form.status, form.headers["Location"]) == (303, THANKS)


async def test_a_form_says_where_to_go_on_to_on_its_own_site_only(ingest: System) -> None:
    """No open redirect; the snippet is told the same address."""
    own = {**FORM, "_redirect": f"{SITE}/danke?a=1"}
    assert (await submit(ingest, own, **BROWSER)).headers["Location"] == f"{SITE}/danke?a=1"
    assert (await submit(ingest, own)).document["redirect"] == f"{SITE}/danke?a=1"
    for target in ("https://evil.example.com/", "//evil.example.com", "https://evil.example.com\\@www.example.com/"):
        answer = await submit(ingest, {**FORM, "_redirect": target})
        assert (answer.status, answer.pointers) == (422, ["/_redirect"])
    assert [lead["fields"] for lead in await stored(ingest)] == [{}, {}]


async def test_a_browser_without_script_reads_what_is_wrong_on_a_page(ingest: System) -> None:
    """In its language, naming the fields, with the way back; whatever went wrong, overload included."""
    german = {**BROWSER, "Accept-Language": "de", "Referer": f"{SITE}/kontakt?<x>"}

    async def refused(status: int, words: str, form: Any = None, origin: str = SITE, **headers: str) -> str:
        answer = await submit(ingest, FORM if form is None else form, origin=origin, **{**german, **headers})
        assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8"), answer.text
        assert words in answer.text
        assert answer.text.count("<h1>") == 1
        assert answer.headers["Content-Length"] == str(len(answer.text.encode()))
        return answer.text

    page = await refused(422, "keine gültige E-Mail-Adresse", {"your-email": "maria@", "tel": "1"})
    assert ("<dt>your-email</dt>" in page, "<dt>tel</dt>" in page) == (True, True)
    assert 'href="https://www.example.com/kontakt?&lt;x&gt;"' in page
    await refused(422, "Bitte geben Sie eine E-Mail-Adresse oder eine Telefonnummer an", {"name": "Maria"})
    assert "<script>alert" not in await refused(
        422, "&lt;script&gt;", {**FORM, "<script>alert(1)</script>": "x" * 5001}
    )
    await refused(403, "konnte nicht gesendet werden", origin=OTHER)
    await refused(413, "konnte nicht gesendet werden", {"text": "x" * 600_000})
    assert "javascript:" not in await refused(422, "Das Formular", {"name": "Maria"}, Referer="javascript:alert(1)")
    await refused(422, "Give an email or a phone", {"name": "Maria"}, **{"Accept-Language": "en"})
    assert await stored(ingest) == []


async def test_the_database_away_is_told_so_that_script_and_visitor_can_wait(ingest: System) -> None:
    """503 with Retry-After, readable by the page's script; to a visitor as a page to reload."""
    connection = await ingest.server.connect(ingest.database, "ingest")
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE ingest.leads")
            answers = asyncio.gather(submit(ingest, FORM), submit(ingest, FORM, **BROWSER))

            async def answered() -> bool:
                # Ended by PostgreSQL, as by its lock_timeout.
                await ingest.rows(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~ 'INSERT'",
                    role="ingest",
                )
                return answers.done()

            await ingest.until(answered, "both to be answered")
            script, visitor = await answers
    finally:
        await connection.close()
    assert (script.status, script.headers["Access-Control-Allow-Origin"]) == (503, SITE)
    assert (visitor.status, "Just a moment, please" in visitor.text) == (503, True)
    assert script.headers["Retry-After"] == visitor.headers["Retry-After"] == "5"


async def test_the_snippet_is_fetched_once(ingest: System) -> None:
    """Cached for an hour, then asked for by its tag; small enough to cost no one anything."""
    first = await ask(ingest, "GET", "/snippet.js")
    assert (first.status, first.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert first.headers["Cache-Control"].startswith("public, max-age=3600")
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert len(first.text) < 13_000
    for forbidden in ("eval(", "new Function", "innerHTML", "document.cookie"):
        assert forbidden not in first.text
    again = await ask(ingest, "GET", "/snippet.js", {"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", first.headers["ETag"])


@pytest.mark.parametrize("path", ["/snippet.js", "/healthz", "/readyz"])
async def test_what_watches_a_page_or_a_service_may_ask_for_the_head_alone(ingest: System, path: str) -> None:
    """Uptime monitors and link checkers do."""
    whole, head = await ask(ingest, "GET", path), await ask(ingest, "HEAD", path)
    assert (head.status, head.text) == (200, "")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]


async def test_openapi_names_every_answer_of_a_form(ingest: System) -> None:
    """So that a client can be generated."""
    paths = (await ask(ingest, "GET", "/openapi.json")).document["paths"]
    form = paths["/v1/forms/{source}"]
    assert set(form["post"]["responses"]) == {
        "202",
        "303",
        "400",
        "401",
        "403",
        "404",
        "413",
        "415",
        "422",
        "429",
        "503",
    }
    assert set(form["post"]["responses"]["422"]["content"]) == {"application/problem+json", "text/html"}
    assert set(form["options"]["responses"]) >= {"204", "403", "404"}
    assert set(paths["/snippet.js"]["get"]["responses"]) >= {"200", "304"}
