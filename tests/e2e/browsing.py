"""What tests of pages share: a browser in which nothing goes wrong unnoticed, and what a page is measured by."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}

# WCAG 2: relative luminance, and the ratio of two of them.
CONTRAST = """element => {
    const channels = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => {
        const [R, G, B] = [r, g, b].map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * R + .7152 * G + .0722 * B;
    };
    let behind = element;
    while (channels(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const pair = [channels(getComputedStyle(element).color), channels(getComputedStyle(behind).backgroundColor)];
    const [dark, light] = pair.map(luminance).sort((a, b) => a - b);
    return (light + .05) / (dark + .05);
}"""


@asynccontextmanager
async def opened(browser: Browser, **context: Any) -> AsyncIterator[Page]:
    """A page in such a context of Playwright's: no script fails on it, and its policy forbids nothing that it does."""
    made = await browser.new_context(**context)
    page = await made.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    await made.close()
    assert wrong == []


async def fits(page: Page) -> None:
    """Nothing is wider than the phone's screen."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
