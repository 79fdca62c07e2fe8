"""The answer page as a rep uses it: real Chromium, at the size of a phone."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import pytest
from itsdangerous import TimestampSigner
from playwright.async_api import Browser, Locator, Page, expect
from tests.e2e.browsing import CONTRAST, PHONE, fits, opened
from tests.system import LATE_STEPS, LINK_SECRET, Received, System, routing

from relance.ids import AssignmentId
from relance_local.services import ROUTER
from relance_router.answers.links import AnswerLinks

MESSAGE = "We have 40 people and two offices.\nCan you call me today? " + "Averylongwordwithoutanyspace" * 8
STATES = "SELECT rep, state FROM reporting.assignments WHERE lead_id = $1 ORDER BY ordinal"
STOPPED = "SELECT stopped_by FROM reporting.clocks WHERE lead_id = $1 AND stopped_at IS NOT NULL"
ANSWERS = "SELECT answer, reason FROM reporting.answers WHERE assignment_id = $1"


@pytest.fixture
async def phone(browser: Browser) -> AsyncIterator[Page]:
    """A phone's browser."""
    async with opened(browser, **PHONE) as page:
        yield page


async def told(system: System) -> Received:
    """A lead with everything in it, and the webhook of it."""
    lead_id = await system.post_lead(
        name="Maria Huber",
        company="Huber & Söhne",
        email="maria.huber@example.com",
        phone="030 12345678",
        fields={"team": "sales", "message": MESSAGE, "budget": "20k"},
    )
    return await system.told(lead_id)


async def tap(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).tap()


async def contrast(element: Locator) -> float:
    ratio: float = await element.evaluate(CONTRAST)
    return ratio


async def test_a_rep_answers_on_the_phone_from_the_first_tap_to_the_deal(shared_system: System, phone: Page) -> None:
    """Each tap says what happens next; a reload presses nothing again."""
    received = await told(shared_system)
    await phone.goto(received.data["answer"]["page"])
    await expect(phone.get_by_role("heading", level=1)).to_have_text("Maria Huber")
    await expect(phone.get_by_text("Huber & Söhne")).to_be_visible()
    await expect(phone.get_by_role("link", name="Call")).to_have_attribute("href", "tel:+493012345678")
    await expect(phone.get_by_role("link", name="Write")).to_have_attribute("href", "mailto:maria.huber@example.com")
    await expect(phone.get_by_role("timer")).to_contain_text("left to respond")
    await fits(phone)

    await tap(phone, "I have it")
    await expect(phone.get_by_role("status")).to_contain_text("You have it. The clock has stopped.")
    await expect(phone.get_by_role("timer")).to_have_count(0)
    await phone.reload()
    await tap(phone, "I reached them")
    await expect(phone.get_by_role("status")).to_contain_text("You have reached them")
    await tap(phone, "Accept: worth working on")
    await expect(phone.get_by_role("status")).to_contain_text("You have accepted this lead")
    await fits(phone)
    await phone.get_by_text("Won", exact=True).tap()
    await tap(phone, "Yes, we won them")
    await expect(phone.get_by_role("status")).to_contain_text("Congratulations")
    await expect(phone.get_by_role("button")).to_have_count(0)

    lead_id = received.data["lead"]["lead_id"]
    assert await shared_system.rows(STATES, lead_id) == [{"rep": received.data["rep"], "state": "contacted"}]
    said = await shared_system.rows(
        "SELECT disposition, newest, source FROM reporting.dispositions WHERE lead_id = $1 ORDER BY sequence", lead_id
    )
    assert said == [
        {"disposition": "accepted", "newest": False, "source": "website"},
        {"disposition": "won", "newest": True, "source": "website"},
    ]
    (clock,) = await shared_system.wait_for_rows(STOPPED, lead_id)
    assert clock == {"stopped_by": "acknowledged"}
    # The next lead's clock has started: what came before it on the topics has been handled.
    after = await told(shared_system)
    await shared_system.answer(after, "contacted")
    await shared_system.wait_for_rows(STOPPED, after.data["lead"]["lead_id"])
    dead = [line for line in shared_system.logs() if line["event"] == "message buried"]
    assert dead == []


async def test_a_lead_that_is_not_mine_goes_to_the_other_rep_with_the_reason(
    shared_system: System, phone: Page
) -> None:
    """And whoever passed it on does not see the person any more."""
    received = await told(shared_system)
    await phone.goto(received.data["answer"]["page"])
    await phone.get_by_text("Not mine", exact=True).tap()
    await fits(phone)
    await tap(phone, "Pass it on")  # without a reason the browser holds it back
    assert [row["state"] for row in await shared_system.rows(STATES, received.data["lead"]["lead_id"])] == ["open"]
    await phone.get_by_label("Wrong territory").check()
    await phone.get_by_label("In your own words").fill("Lives in Vienna")
    await tap(phone, "Pass it on")
    await expect(phone.get_by_role("heading")).to_have_text("You passed this lead on")
    await expect(phone.get_by_text("Maria")).to_have_count(0)

    other = await shared_system.told(received.data["lead"]["lead_id"], times=2)
    assert {received.data["rep"], other.data["rep"]} == {"anna", "ben"}
    (declined,) = await shared_system.rows(ANSWERS, received.data["assignment_id"])
    assert declined == {"answer": "declined", "reason": "wrong_territory"}
    for press in ("acknowledge", "decline"):
        data = {"answer": press, "reason": "no_time"} if press == "decline" else {"answer": press}
        async with shared_system.http.post(received.data["answer"]["page"], data=data) as answer:
            assert (answer.status, "Maria" in await answer.text()) == (410, False)


async def test_opening_a_link_changes_nothing_whoever_opens_it(shared_system: System, phone: Page) -> None:
    """Mail and chat programs fetch links to preview them, also those of single answers."""
    received = await told(shared_system)
    page = received.data["answer"]["page"]
    before = await shared_system.rows("SELECT * FROM router.assignments", role="postgres")
    for query in ("", "?answer=acknowledge", "?answer=contacted", "?answer=decline", "?answer=%00", "?reason=spam"):
        await phone.goto(page + query)
        async with shared_system.http.get(page + query) as answer:
            assert answer.status == 200
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert (answer.headers["Referrer-Policy"], answer.headers["Cache-Control"]) == ("no-referrer", "no-store")
    assert await shared_system.rows("SELECT * FROM router.assignments", role="postgres") == before
    assert await shared_system.rows(ANSWERS, received.data["assignment_id"]) == []


async def test_a_link_that_came_with_an_answer_asks_for_one_press(shared_system: System, phone: Page) -> None:
    """The button in the chat has said what; the page asks only whether."""
    received = await told(shared_system)
    for answer, label in (("acknowledge", "I have it"), ("contacted", "I reached them"), ("decline", "Pass it on")):
        await phone.goto(f"{received.data['answer']['page']}?answer={answer}")
        await expect(phone.get_by_role("button")).to_have_text([label])
        await fits(phone)
        await phone.get_by_role("link", name="Something else").tap()
        await expect(phone.get_by_role("button", name="I have it")).to_be_visible()


async def test_links_that_are_of_no_more_use_say_so(
    system: System, phone: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged, expired, taken away: each in its own words, and without the person."""
    await system.apply_routing(routing(system.endpoints, {"sales": ["anna", "ben"]}, window="2s", steps=LATE_STEPS))
    received = await told(system)
    page = received.data["answer"]["page"]
    await phone.goto(page)
    await expect(phone.get_by_role("timer")).to_contain_text("window passed")  # the countdown goes on by itself
    await system.wait_for_rows("SELECT FROM reporting.clocks")
    await system.let_pass(timedelta(hours=2))
    await system.told(received.data["lead"]["lead_id"], times=2)
    await tap(phone, "I have it")
    await expect(phone.get_by_role("heading")).to_have_text("This lead has moved on")
    await expect(phone.get_by_text("it was not answered in time")).to_be_visible()
    assert await status(phone, page) == 410
    assert await status(phone, page[:-3]) == 404
    await expect(phone.get_by_text("This link is damaged")).to_be_visible()

    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) - 365 * 24 * 3600)
    links = AnswerLinks(public_url=system.url(ROUTER, ""), secret=LINK_SECRET, lifetime=timedelta())
    old = links.url(links.token(AssignmentId(UUID(received.data["assignment_id"]))))
    assert await status(phone, old) == 410
    await expect(phone.get_by_role("heading")).to_have_text("This link has expired")
    await expect(phone.get_by_text("Open the lead in your own tool, or ask your manager")).to_be_visible()
    async with system.http.post(old, data={"answer": "acknowledge"}) as answer:
        assert answer.status == 410
    assert "Maria" not in await phone.content()


async def status(page: Page, address: str) -> int:
    answer = await page.goto(address)
    assert answer
    return answer.status


async def test_the_page_is_whole_without_its_script(shared_system: System, browser: Browser) -> None:
    """It says what was left when it was opened."""
    received = await told(shared_system)
    async with opened(browser, **PHONE, java_script_enabled=False) as page:
        await page.goto(received.data["answer"]["page"])
        await expect(page.get_by_role("timer")).to_contain_text("left to respond")
        await tap(page, "I have it")
        await page.get_by_text("Reject", exact=True).tap()
        await page.get_by_label("Spam").check()
        await tap(page, "Reject this lead")
        await expect(page.get_by_role("status")).to_contain_text("You have rejected this lead (spam).")
        await tap(page, "Accept: worth working on")
        await expect(page.get_by_role("status")).to_contain_text("You have accepted this lead.")


async def test_everything_can_be_read_by_day_and_by_night(shared_system: System, browser: Browser) -> None:
    """WCAG AA: 4.5 to 1 for text; and what is tapped is 44 pixels high at least."""
    await readable_in(shared_system, browser, "light", "rgb(242, 244, 247)")
    await readable_in(shared_system, browser, "dark", "rgb(14, 17, 22)")


async def readable_in(system: System, browser: Browser, colours: Literal["light", "dark"], ground: str) -> None:
    received = await told(system)
    async with opened(browser, **PHONE, color_scheme=colours) as page:
        await page.goto(received.data["answer"]["page"])
        await expect(page.locator("html")).to_have_css("background-color", ground)
        await page.get_by_text("Not mine", exact=True).tap()
        await readable(page)
        await page.get_by_text("Not mine", exact=True).tap()
        await tap(page, "I have it")
        await readable(page)
        await system.answer(received, "decline")
        await page.reload()
        await readable(page)


async def readable(page: Page) -> None:
    text = page.locator("h1, h2, p, dt, dd, a, .muted, blockquote, button, summary, legend, label").filter(visible=True)
    ratios = {await each.inner_text(): await contrast(each) for each in await text.all()}
    assert {words: ratio for words, ratio in ratios.items() if ratio < 4.5} == {}
    for target in await page.locator("button, summary, .reach, .reason").filter(visible=True).all():
        box = await target.bounding_box()
        assert box
        assert box["height"] >= 44, await target.inner_text()


async def test_a_press_that_cannot_be_taken_says_why_on_the_page(shared_system: System, phone: Page) -> None:
    """A reason is missing, a text is too long, or something else was said meanwhile."""
    received = await told(shared_system)
    page = received.data["answer"]["page"]

    async def pressed(expected: int, words: str, **fields: str) -> None:
        async with shared_system.http.post(page, data=fields, allow_redirects=False) as answer:
            text = await answer.text()
            assert (answer.status, answer.content_type) == (expected, "text/html")
            assert words in text
            assert 'role="alert"' in text

    await pressed(422, "Choose a reason first", answer="decline")
    await pressed(422, "declined takes one of", answer="decline", reason="spam")
    await pressed(422, "at most 500", answer="decline", reason="other", note="x" * 501)
    await pressed(422, "NUL", answer="decline", reason="other", note="a\x00b")
    await pressed(422, "Answer", answer="destroy")
    await pressed(422, "Answer")
    await pressed(409, "Say first that you have this lead", answer="won")
    assert await shared_system.rows(STATES, received.data["lead"]["lead_id"]) == [
        {"rep": received.data["rep"], "state": "open"}
    ]
    await phone.goto(page)
    assert (await shared_system.answer(received, "contacted"))[0] == 200
    await phone.get_by_text("Not mine", exact=True).tap()
    await phone.get_by_label("No time").check()
    await tap(phone, "Pass it on")
    await expect(phone.get_by_role("alert")).to_contain_text("You have contacted this lead already")


async def test_programs_say_what_a_lead_was_worth(system: System) -> None:
    """With the notification's token, each thing once however often it is said."""
    received = await told(system)
    ways = received.data["answer"]
    address = ways["acknowledge"].removesuffix("acknowledge")

    async def say(word: str, **body: str) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {ways['token']}"}
        async with system.http.post(address + word, headers=headers, json=body or None) as answer:
            return answer.status, await answer.json()

    async def refused(expected: int, word: str, **body: str) -> str:
        status, problem = await say(word, **body)
        assert status == expected
        return str(problem.get("errors", problem["detail"]))

    assert "Say first that you have this lead" in await refused(409, "accepted")
    assert (await say("contacted"))[0] == 200
    assert "Accept this lead before you lose it" in await refused(409, "lost")
    assert "Say why it is rejected: one of spam," in await refused(422, "rejected")
    assert "/note" in await refused(422, "accepted", note="x" * 501)
    at_once = await asyncio.gather(*(say("rejected", reason="spam", note="a bot") for _ in range(5)))
    assert {(status, answer["disposition"]) for status, answer in at_once} == {(200, "rejected")}
    assert (await say("accepted"))[1]["disposition"] == "accepted"
    assert (await say("lost", reason="price"))[1]["disposition"] == "lost"
    assert "final" in await refused(409, "rejected", reason="spam")
    said = await system.rows("SELECT disposition, reason FROM reporting.dispositions ORDER BY sequence")
    assert [(row["disposition"], row["reason"]) for row in said] == [
        ("rejected", "spam"), ("accepted", None), ("lost", "price"),
    ]  # fmt: skip
    assert 'relance_router_dispositions_total{disposition="rejected",reason="spam"} 1.0' in (
        await system.metrics("router")
    )
