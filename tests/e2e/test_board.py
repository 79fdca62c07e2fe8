"""The board as people see it: real Chromium, on a wall and on a phone, over the whole running system."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from tests.e2e.browsing import CONTRAST, PHONE, opened
from tests.system import OPERATOR_TOKEN, System, running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer
from relance_local.services import ROUTER, SLA_MONITOR

WALL: dict[str, Any] = {"viewport": {"width": 1920, "height": 1080}}
LIMIT = 15_000
"""Milliseconds within which the board must show something: generous, for slow machines."""


def screen(browser: Browser, size: dict[str, Any] = WALL, **context: Any) -> AbstractAsyncContextManager[Page]:
    """A screen in another part of the world."""
    return opened(browser, **size, timezone_id="Asia/Tokyo", **context)


async def show(page: Page, system: System, team: str | None = None) -> None:
    """Open the board by a link, as a person does."""
    await page.goto(system.services.board_link(team))
    await page.wait_for_url("**/board")
    await expect(page.locator("#link")).to_contain_text("live", timeout=LIMIT)


def lead(page: Page, lead_id: str) -> Any:
    return page.locator(f'tr[data-lead="{lead_id.replace("-", "")[-6:]}"]')


@pytest.fixture
async def short(real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path) -> AsyncIterator[System]:
    """Two teams, and nobody to go to once a window has passed; tests say when it has."""
    teams = {"sales": ["anna"], "world": ["eva"]}
    async with running_system(real_parts, database, tmp_path, teams=teams, window="1h") as running:
        yield running


async def test_a_lead_appears_and_goes_when_it_is_answered_without_a_reload(system: System, browser: Browser) -> None:
    """On every screen that shows its team, and on no other team's; also after the service has restarted."""
    async with screen(browser) as wall, screen(browser, PHONE) as phone:
        await show(wall, system)
        await show(phone, system, "nobody")
        # In the board's zone, wherever the browser is.
        now = datetime.now(UTC)
        hours = re.compile(f"live · ({now:%H}|{now + timedelta(minutes=1):%H}):")
        await expect(wall.locator("#link")).to_have_text(hours)
        await wall.evaluate("document.body.dataset.loaded = 'once'")
        await expect(wall.get_by_text("Nobody waits for an answer.")).to_be_visible()
        first = await system.post_lead(fields={"team": "sales"}, campaign="spring", name="Maria Huber")
        await expect(lead(wall, first)).to_contain_text("in time", timeout=LIMIT)
        await expect(lead(wall, first)).to_contain_text("website · spring")
        assert "Maria" not in await wall.content()
        received = await system.told(first)
        await system.answer(received, "contacted")
        await expect(lead(wall, first)).to_have_count(0, timeout=LIMIT)
        await expect(wall.locator("#kept dd")).to_have_text("1", timeout=LIMIT)
        await expect(wall.locator("svg .median")).to_have_count(1)

        await system.services.running[SLA_MONITOR].stop()
        await expect(wall.locator("#link")).to_contain_text("not live", timeout=LIMIT)
        second = await system.post_lead(fields={"team": "sales"})
        await system.services.start([SLA_MONITOR])
        await expect(lead(wall, second)).to_be_visible(timeout=LIMIT)
        await expect(wall.locator("#link")).to_contain_text("live ·", timeout=LIMIT)
        assert await wall.evaluate("document.body.dataset.loaded") == "once"
        await expect(phone.locator("tr[data-lead]")).to_have_count(0)
        await expect(phone.locator("h1")).to_have_text("nobody")


async def test_a_lead_turns_at_risk_and_overdue_as_its_window_passes(short: System, browser: Browser) -> None:
    """With its words, not by colour alone; a team's board shows it and another team's does not."""
    async with screen(browser) as wall, screen(browser, PHONE) as other:
        await show(wall, short, "sales")
        await show(other, short, "world")
        lead_id = await short.post_lead(fields={"team": "sales"})
        row = lead(wall, lead_id)
        for state, until_next in (("in time", 50), ("at risk", 10), ("overdue", 0)):
            await expect(row.locator(".state")).to_have_text(state, timeout=LIMIT)
            await short.let_pass(timedelta(minutes=until_next))
        await expect(wall.locator("#overdue dd")).to_have_text("1", timeout=LIMIT)
        await expect(wall.get_by_text("not answered")).to_be_visible(timeout=LIMIT)
        own = await short.post_lead(fields={"team": "world"})
        await expect(lead(other, own)).to_be_visible(timeout=LIMIT)
        await expect(lead(other, lead_id)).to_have_count(0)
        assert "sales" not in await other.content()


async def test_a_lead_on_hold_counts_no_time_until_it_is_released(short: System, browser: Browser) -> None:
    """It waits without being at risk or overdue, and its time goes on where it stood."""
    by_hand = {"by": "tests", "reason": "on a train until noon"}
    async with screen(browser) as wall:
        await show(wall, short, "sales")
        held = await short.post_lead(fields={"team": "sales"})
        await short.told(held)
        assert (await short.operate("POST", f"/v1/leads/{held}/hold", by_hand))[0] == 200
        await expect(lead(wall, held).locator(".state")).to_have_text("on hold", timeout=LIMIT)
        await expect(wall.locator("#on-hold")).to_have_text(re.compile("on hold\\s*1"), timeout=LIMIT)
        later = await short.post_lead(fields={"team": "sales"})
        await expect(lead(wall, later).locator(".state")).to_have_text("in time", timeout=LIMIT)
        await short.let_pass(timedelta(hours=2))
        await expect(lead(wall, later).locator(".state")).to_have_text("overdue", timeout=LIMIT)
        await expect(lead(wall, held).locator(".state")).to_have_text("on hold")
        assert (await short.operate("POST", f"/v1/leads/{held}/release", by_hand))[0] == 200
        await expect(lead(wall, held).locator(".state")).to_have_text("in time", timeout=LIMIT)
        await expect(wall.locator("#on-hold dd")).to_have_text("0", timeout=LIMIT)
        await short.let_pass(timedelta(hours=2))
        await expect(lead(wall, held).locator(".state")).to_have_text("overdue", timeout=LIMIT)


async def test_a_lead_that_nobody_has_is_seen_until_somebody_has_it(short: System, browser: Browser) -> None:
    """Whoever sees all teams sees it, and since when."""
    operator = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    for rep in ("anna", "eva"):
        address = short.url(ROUTER, f"/v1/reps/{rep}/pause")
        async with short.http.post(address, headers=operator, json={"because": "lunch", "by": "tests"}) as answer:
            assert answer.status == 200, await answer.text()
    async with screen(browser) as wall:
        await show(wall, short)
        await short.post_lead(fields={"team": "world"})
        await expect(wall.locator(".nobody")).to_contain_text("Nobody has 1 lead, since", timeout=LIMIT)
        async with short.http.post(
            short.url(ROUTER, "/v1/reps/eva/resume"), headers=operator, json={"by": "tests"}
        ) as answer:
            assert answer.status == 200, await answer.text()
        await expect(wall.locator(".nobody")).to_have_count(0, timeout=LIMIT)


async def test_everything_fits_and_can_be_read_on_a_wall_and_on_a_phone(short: System, browser: Browser) -> None:
    """Nothing is wider than its screen, a wall needs no scrolling, and text has 4.5 to 1, by day and by night."""
    for _ in range(16):
        await short.post_lead(fields={"team": "sales"}, campaign="a-campaign-with-a-name-that-is-quite-long-indeed")
    await short.wait_for_rows("SELECT FROM reporting.clocks", count=16)
    await short.let_pass(timedelta(hours=2))
    for _ in range(3):
        await short.post_lead(fields={"team": "world"})
    for colours in ("light", "dark"):
        for size in (WALL, PHONE):
            async with screen(browser, size, color_scheme=colours) as page:
                await show(page, short)
                await expect(page.get_by_text("more", exact=False).first).to_be_visible(timeout=LIMIT)
                assert await page.evaluate("document.documentElement.scrollWidth") <= size["viewport"]["width"]
                if size is WALL:
                    assert await page.evaluate("document.documentElement.scrollHeight") <= size["viewport"]["height"]
                # A push replaces what is looked at: all of it is measured in one go.
                texts = "h1, h2, p, dt, dd, th, td, li, strong, .ending"
                measured = f"each => [each.textContent, ({CONTRAST})(each)]"
                ratios = await page.evaluate(f"() => [...document.querySelectorAll('{texts}')].map({measured})")
                assert [each for each in ratios if each[1] < 4.5] == []


async def test_nobody_sees_the_board_without_a_link(system: System, browser: Browser) -> None:
    """Missing, damaged and expired are each told in their own words; the link does not stay in the address."""
    async with screen(browser) as page:
        for address, words in (
            (system.url(SLA_MONITOR, "/board"), "This board needs a link"),
            (system.url(SLA_MONITOR, "/board/stream"), "This board needs a link"),
            (system.services.board_link()[:-2], "This link is damaged"),
            (system.services.board_link(lifetime=timedelta(seconds=-1)), "This link has expired"),
        ):
            answer = await page.goto(address)
            assert answer
            assert answer.status == 401
            await expect(page.get_by_text(words)).to_be_visible()
        # From a message on another site: the cookie is strict, and still there on the page that follows.
        await page.goto(system.url(ROUTER, "/healthz").replace("127.0.0.1", "localhost"))
        link = system.services.board_link()
        await page.evaluate("link => { location.href = link }", link)
        await page.wait_for_url("**/board")
        await expect(page.locator("#link")).to_contain_text("live", timeout=LIMIT)
        (cookie,) = await page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/board")
        async with system.http.get(system.url(SLA_MONITOR, "/board"), cookies={cookie["name"]: cookie["value"]}) as got:
            policy = got.headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert (got.headers["Cache-Control"], got.headers["X-Robots-Tag"]) == ("no-store", "noindex, nofollow")


async def test_the_board_is_whole_without_its_script(system: System, browser: Browser) -> None:
    """It says of when it is, and reloads by itself."""
    lead_id = await system.post_lead(fields={"team": "sales"})
    await system.wait_for_rows("SELECT FROM reporting.clocks")
    async with screen(browser, PHONE, java_script_enabled=False) as page:
        await page.goto(system.services.board_link())
        await page.wait_for_url("**/board")
        await expect(lead(page, lead_id)).to_contain_text("in time")
        await expect(page.locator("#link")).to_contain_text("as of")
        assert '<noscript><meta http-equiv="refresh"' in await page.content()


async def test_more_viewers_than_there_is_room_for_are_told_so(
    real_parts: tuple[DatabaseServer, Broker], database: str, tmp_path: Path
) -> None:
    """While the page itself and other requests are answered as ever; a place that is left is free again."""
    environment = {"BOARD_VIEWERS": "2", "HTTP_CONCURRENCY": "1"}
    async with running_system(
        real_parts, database, tmp_path, services=[SLA_MONITOR], environment=environment
    ) as system:
        link = system.services.board_link()
        cookies = {"relance_board": link.rsplit("/", 1)[1]}
        address = system.url(SLA_MONITOR, "/board/stream")
        async with system.http.get(address, cookies=cookies) as first, system.http.get(address, cookies=cookies):
            assert b"event: board" in await asyncio.wait_for(_until(first.content, b"event: board"), 15)
            async with system.http.get(address, cookies=cookies) as third:
                assert (third.status, third.headers["Retry-After"]) == (503, "5")
            async with system.http.get(system.url(SLA_MONITOR, "/board"), cookies=cookies) as page:
                assert page.status == 200

        async def free() -> bool:
            async with system.http.get(address, cookies=cookies) as again:
                return again.status == 200

        await system.until(free, "a place to be free again")


async def _until(content: Any, line: bytes) -> bytes:
    async for found in content:
        if line in found:
            return bytes(found)
    return b""
