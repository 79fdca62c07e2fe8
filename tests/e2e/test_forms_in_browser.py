"""Web forms as visitors fill them in: real Chromium, on our page and on another site's, with and without script."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, Request, Route, expect
from tests.e2e.browsing import PHONE, fits, opened
from tests.http_servers import answering
from tests.system import KEYS, System, running_system

from relance_local.broker import Broker
from relance_local.conditions import free_port
from relance_local.database_server import DatabaseServer
from relance_local.services import INGEST

WEBSITE_FORM = """<!doctype html><html lang="de"><meta charset="utf-8"><title>Kontakt</title>
<form data-relance="website" {attributes}>
  <label>Vorname <input name="first_name"></label> <label>Nachname <input name="last_name"></label>
  <label>E-Mail <input name="your-email" aria-describedby="hint"></label> <small id="hint">Nie weitergegeben</small>
  <label>Nachricht <textarea name="Your message"></textarea></label> <label>Anhang <input type="file" name="cv"></label>
  <button name="pressed" value="offer">Angebot</button>
</form>
<script src="{ingest}/snippet.js" async></script>"""


@dataclass
class Site:
    """Another site with a form, whose pages allow nothing but what the snippet needs."""

    port: int
    ingest: str = ""
    attributes: str = ""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def form(self, _request: web.Request) -> web.Response:
        policy = f"default-src 'none'; script-src {self.ingest}; connect-src {self.ingest}; form-action {self.ingest}"
        text = WEBSITE_FORM.format(ingest=self.ingest, attributes=self.attributes)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Site]:
    async with answering(site.port, web.get("/{page}", site.form)):
        yield site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A site that the source lists."""
    async with serving(Site(free_port())) as running:
        yield running


@pytest.fixture
async def ingest(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path, site: Site
) -> AsyncIterator[System]:
    """Ingest alone, with the demo page."""
    forms = {"origins": [site.origin], "fields": {"email": "your-email", "name": ["first_name", "last_name"]}}
    sources = {"website": {"thanks_url": None, "forms": forms}}
    environment = {"DEMO_PAGE": "true"}
    async with running_system(
        real_parts, database, tmp_path, services=[INGEST], environment=environment, sources=sources
    ) as running:
        site.ingest = running.services.url(INGEST)
        yield running


def visiting(browser: Browser, *, locale: str = "en-GB", **context: Any) -> AbstractAsyncContextManager[Page]:
    """A visitor's phone."""
    return opened(browser, **PHONE, locale=locale, reduced_motion="reduce", **context)


async def stored(system: System) -> list[dict[str, Any]]:
    rows = await system.rows("SELECT data FROM ingest.leads ORDER BY id", role="ingest")
    return [json.loads(row["data"]) for row in rows]


async def fill(page: Page, **labels: str) -> None:
    for label, value in labels.items():
        await page.get_by_label(label.replace("_", "-")).fill(value)


async def test_a_visitor_fills_in_the_demo_form_and_sees_thanks(ingest: System, browser: Browser) -> None:
    """The lead is stored with where the visitor came from, and nothing else of the page's address."""
    async with visiting(browser) as page:
        address = ingest.url(INGEST, "/demo?utm_source=ads&utm_campaign=spring&gclid=x1&email=private@example.com")
        await page.goto(address, referer="https://search.example.com/")
        await fill(page, Name="Maria Huber", E_mail="maria@example.com", Phone="030 12345678")
        await page.get_by_label("Budget").select_option("up to 20k")
        await fits(page)
        await page.locator("button").click()
        await expect(page.get_by_role("status")).to_contain_text("We have received your message")
        await expect(page.get_by_role("status")).to_be_focused()
        await fits(page)
    (lead,) = await stored(ingest)
    assert (lead["contact"]["email"], lead["contact"]["phone"]) == ("maria@example.com", "+493012345678")
    assert lead["campaign"] == "spring"
    assert lead["fields"] == {
        "budget": "up to 20k",
        "utm_source": "ads",
        "utm_campaign": "spring",
        "gclid": "x1",
        "referrer": "https://search.example.com/",
        "landing_page": ingest.url(INGEST, "/demo?utm_source=ads&utm_campaign=spring&gclid=x1"),
    }


async def test_a_wrong_field_is_told_beside_it_and_can_be_mended(ingest: System, browser: Browser) -> None:
    """Programs that read the page aloud tell it with the field; sent again it is one lead."""
    async with visiting(browser) as page:
        await page.goto(ingest.url(INGEST, "/demo"))
        await fill(page, E_mail="maria@", Phone="12")
        await page.locator("button").click()
        email, phone = page.locator("[name=email]"), page.locator("[name=phone]")
        await expect(email).to_have_attribute("aria-invalid", "true")
        await expect(email).to_be_focused()
        await expect(email).to_have_accessible_description("There must be something after the @-sign.")
        await expect(phone).to_have_accessible_description(
            "No such phone number exists: a digit is missing, or one is too many."
        )
        await expect(page.locator("button")).to_be_enabled()
        await email.fill("maria@example.com")
        await phone.fill("")
        await page.locator("button").click()
        await expect(page.get_by_role("status")).to_contain_text("We have received your message")
    assert len(await stored(ingest)) == 1


async def test_another_sites_form_needs_no_change_but_the_snippet(ingest: System, site: Site, browser: Browser) -> None:
    """Under a strict policy; its own names and texts; the first page of the visit is remembered on the next."""
    site.attributes = 'data-thanks="Danke, Maria!" data-honeypot="homepage"'
    async with visiting(browser, locale="de-DE") as page:
        await page.goto(f"{site.origin}/landing?utm_source=news&fbclid=f1")
        await page.goto(f"{site.origin}/contact?utm_source=other")
        await fill(page, Vorname="Maria", Nachname="Huber", Nachricht="Hallo")
        await page.locator("[name=your-email]").fill("maria@")
        await expect(page.locator("[name=homepage]")).not_to_be_in_viewport()
        await page.locator("button").click()
        email = page.locator("[name=your-email]")
        described = "Nie weitergegeben Das ist keine gültige E-Mail-Adresse."
        await expect(email).to_have_accessible_description(described)
        await email.fill("maria@example.com")
        await page.get_by_label("Nachricht").fill("x" * 100_000)
        await page.locator("button").click()
        await expect(page.get_by_role("status")).to_contain_text("Das ist zu groß.")
        await page.get_by_label("Nachricht").fill("Hallo")
        await page.locator("button").click()
        await expect(page.get_by_role("status")).to_have_text("Danke, Maria!")
    (lead,) = await stored(ingest)
    assert (lead["contact"]["name"], lead["contact"]["email"]) == ("Maria Huber", "maria@example.com")
    assert lead["fields"] == {
        "Your_message": "Hallo",
        "pressed": "offer",
        "utm_source": "news",
        "fbclid": "f1",
        "landing_page": f"{site.origin}/landing?utm_source=news&fbclid=f1",
    }


async def test_the_sites_own_script_may_ask_beforehand_and_other_sites_may_not(
    ingest: System, site: Site, browser: Browser
) -> None:
    """JSON and an idempotency key need a preflight, which the browser makes by itself."""
    send = """async address => {
        const headers = {"Content-Type": "application/json", "Idempotency-Key": "k1", Accept: "application/json"};
        const answer = await fetch(address, {method: "POST", headers, body: '{"email": "maria@example.com"}'});
        return [answer.status, (await answer.json()).repeated];
    }"""
    address = ingest.url(INGEST, "/v1/forms/website")
    async with visiting(browser) as page, serving(Site(free_port(), site.ingest)) as other:
        await page.goto(f"{site.origin}/contact")
        assert await page.evaluate(send, address) == [202, False]
        assert await page.evaluate(send, address) == [202, True]
        await page.goto(f"{other.origin}/contact")
        with pytest.raises(Exception, match="Failed to fetch"):
            await page.evaluate(send, address)
    assert len(await stored(ingest)) == 1


async def test_an_impatient_visitor_and_a_broken_network_give_one_lead(
    ingest: System, site: Site, browser: Browser
) -> None:
    """Two clicks are one submission; an answer that was lost, or says to wait, is asked for again by the same key."""
    posts: list[Request] = []
    seen = asyncio.Event()

    async def broken(route: Route) -> None:
        posts.append(route.request)
        if len(posts) == 1:
            await route.fetch()  # stored, and nobody hears of it
            await route.abort()
        elif len(posts) == 2:
            headers = {"Retry-After": "1", "Access-Control-Allow-Origin": site.origin}
            await route.fulfill(status=503, headers=headers, json={})
        else:
            await seen.wait()
            await route.continue_()

    async with visiting(browser) as page:
        await page.route("**/v1/forms/website", broken)
        await page.goto(f"{site.origin}/contact")
        await page.locator("[name=your-email]").fill("maria@example.com")
        await page.locator("button").dblclick()
        await expect(page.locator("button")).to_be_disabled()
        await expect(page.get_by_role("status")).to_have_text("Wird gesendet …")
        seen.set()
        await expect(page.locator(".relance-thanks")).to_contain_text("We have received")
    assert len(posts) == 3
    assert len({request.post_data for request in posts}) == 1
    assert len(await stored(ingest)) == 1


async def test_the_snippet_follows_a_forms_own_redirect(ingest: System, site: Site, browser: Browser) -> None:
    """As a browser without script would; and it says what is wrong with the form, and not to try again."""
    async with visiting(browser) as page:
        await page.goto(f"{site.origin}/contact")
        await page.locator("[name=your-email]").fill("maria@example.com")
        await page.evaluate(
            """fields => {
                for (const [name, value] of Object.entries(fields))
                    document.forms[0].append(Object.assign(document.createElement("input"), {name, value}));
            }""",
            {"_redirect": f"{site.origin}/thanks", "_key": "wrong"},
        )
        await page.locator("button").click()
        await expect(page.get_by_role("status")).to_contain_text("Send the source's key")
        await page.locator("[name=_key]").evaluate("field => field.remove()")
        await page.locator("button").click()
        await page.wait_for_url(f"{site.origin}/thanks")
    assert len(await stored(ingest)) == 1


async def test_a_browser_that_cannot_fetch_sends_the_form_itself(ingest: System, site: Site, browser: Browser) -> None:
    """With all that the snippet has added."""
    async with visiting(browser) as page:
        await page.add_init_script("delete window.fetch")
        await page.goto(f"{site.origin}/contact?gclid=g1")
        await page.locator("[name=your-email]").fill("maria@example.com")
        await page.locator("button").click()
        await expect(page.get_by_role("heading")).to_have_text("Thank you")
    (lead,) = await stored(ingest)
    assert lead["fields"]["gclid"] == "g1"


async def test_where_fetching_is_blocked_the_browser_sends_the_form_itself(
    ingest: System, site: Site, browser: Browser
) -> None:
    """By a blocker or the page's policy. What had come through all the same, and nobody heard of, is the same lead."""
    fetched: list[Request] = []

    async def blocked(route: Route) -> None:
        if route.request.resource_type != "fetch":
            await route.continue_()
            return
        if route.request.method == "POST":
            fetched.append(route.request)
            await route.fetch()
        await route.abort("blockedbyclient")

    async with visiting(browser) as page:
        await page.route("**/v1/forms/**", blocked)
        await page.goto(f"{site.origin}/contact")
        await page.locator("[name=your-email]").fill("maria@example.com")
        await page.get_by_label("Nachricht").fill("Hallo\nIhr")
        await page.locator("button").click()
        await expect(page.get_by_role("heading")).to_have_text("Thank you")
    assert len(fetched) > 1
    (lead,) = await stored(ingest)
    assert (lead["fields"]["Your_message"], lead["fields"]["pressed"]) == ("Hallo\r\nIhr", "offer")


async def test_an_outage_is_not_taken_for_a_blocker(ingest: System, site: Site, browser: Browser) -> None:
    """The visitor stays on the page and may try again; only then, so that no lead is lost, the browser sends it."""
    tokens: list[Request] = []
    posts: list[Request] = []

    async def away(route: Route) -> None:
        if route.request.resource_type != "fetch":
            await route.continue_()
        elif route.request.method == "POST":
            posts.append(route.request)
            await route.abort("connectionrefused")
        else:
            tokens.append(route.request)
            await (route.abort("connectionrefused") if len(tokens) == 1 else route.continue_())

    async with visiting(browser) as page:
        await page.add_init_script("const later = setTimeout; setTimeout = (call, after) => later(call, after / 10)")
        await page.route("**/v1/forms/**", away)
        async with page.expect_event("requestfailed"):
            await page.goto(f"{site.origin}/contact")
        await page.locator("[name=your-email]").fill("maria@example.com")
        await page.locator("button").click()
        await expect(page.get_by_role("status")).to_contain_text("Bitte versuchen Sie es noch einmal")
        assert len(posts) == 5
        await page.locator("button").click()
        await expect(page.get_by_role("heading")).to_have_text("Thank you")
    assert len(await stored(ingest)) == 1


async def test_another_sites_form_is_sent_where_its_script_does_not_run(
    ingest: System, site: Site, browser: Browser
) -> None:
    """In an old browser, say: the form has an action of its own, as docs/forms.md shows it."""
    site.attributes = f'action="{site.ingest}/v1/forms/website" method="post"'
    async with visiting(browser, java_script_enabled=False) as page:
        await page.goto(f"{site.origin}/contact")
        await page.locator("[name=your-email]").fill("maria@example.com")
        await page.locator("button").click()
        await expect(page.get_by_role("heading")).to_have_text("Thank you")
    assert len(await stored(ingest)) == 1


async def test_a_browser_without_script_sees_what_is_wrong_and_goes_back(ingest: System, browser: Browser) -> None:
    """The page names the fields; the browser still has what was written; a reload of the thanks sends nothing."""
    async with visiting(browser, java_script_enabled=False, locale="de-DE") as page:
        await page.goto(ingest.url(INGEST, "/demo?plain&utm_campaign=spring"))
        await fill(page, Name="Maria Huber", E_mail="maria@")
        await page.locator("button").click()
        await expect(page.get_by_role("heading")).to_have_text("Bitte prüfen Sie Ihre Angaben")
        await expect(page.get_by_role("alert")).to_contain_text("Das ist keine gültige E-Mail-Adresse.")
        await expect(page.get_by_role("link", name="Zurück zum Formular")).to_be_visible()
        await fits(page)
        await page.go_back()
        await expect(page.get_by_label("Name")).to_have_value("Maria Huber")
        await fill(page, E_mail="maria@example.com")
        await page.locator("button").click()
        await expect(page.get_by_role("heading")).to_have_text("Vielen Dank")
        await page.reload()
        await expect(page.get_by_role("heading")).to_have_text("Vielen Dank")
    (lead,) = await stored(ingest)
    assert lead["campaign"] == "spring"


async def test_the_way_back_keeps_what_was_written(ingest: System, browser: Browser) -> None:
    """Where there is script, the link of the error page is the browser's own way back."""
    async with visiting(browser) as page:
        await page.goto(ingest.url(INGEST, "/demo?plain"))
        await fill(page, Name="Maria Huber", E_mail="maria@")
        await page.locator("button").click()
        await page.get_by_role("link", name="Back to the form").click()
        await expect(page.get_by_label("Name")).to_have_value("Maria Huber")


async def test_a_person_with_the_snippet_is_not_suspected(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path, site: Site, browser: Browser
) -> None:
    """It fetches the token and adds the bait by itself, and another token for what is mended on the way back.

    Who takes the bait is suspected.
    """
    spam = {"honeypot": "homepage", "form_token": {"required": True, "min_fill": 0.001}}
    forms = {"origins": [site.origin], "fields": {"email": "your-email"}}
    sources = {"website": {"thanks_url": None, "forms": forms, "spam": spam}}
    async with (
        running_system(real_parts, database, tmp_path, services=[INGEST], sources=sources) as system,
        visiting(browser) as page,
    ):
        site.ingest = system.services.url(INGEST)
        for bait in ("", "https://casino.example"):
            await page.goto(f"{site.origin}/contact")
            await page.locator("[name=your-email]").fill("maria@posteo.de")
            token = page.locator("[name=_token]")
            used = await token.input_value()
            form = {"your-email": "mraia@posteo.de", "_token": used, "_key": KEYS["website"]}
            headers = {"Accept": "application/json"}
            async with system.http.post(system.url(INGEST, "/v1/forms/website"), data=form, headers=headers) as answer:
                assert answer.status == 202
            # What the page hears after the way back, when the browser has kept it; this one, under test, keeps none.
            await page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
            await expect(token).not_to_have_value(used)
            await page.locator("[name=homepage]").evaluate("(field, text) => field.value = text", bait)
            await page.locator("button").click()
            await expect(page.locator(".relance-thanks")).to_be_visible()
        rows = await system.rows("SELECT suspicions, data FROM ingest.leads ORDER BY id", role="ingest")
    assert [row["suspicions"] for row in rows] == [[], [], [], ["honeypot"]]
    assert {"_token", "homepage"}.isdisjoint(json.loads(rows[1]["data"])["fields"])
