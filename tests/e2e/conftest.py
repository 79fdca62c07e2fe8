"""A real browser, and a system for all tests of a module."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright, expect
from tests.system import System, running_system

from relance_local.broker import Broker
from relance_local.database_server import DatabaseServer

expect.set_options(timeout=15_000)  # of 5 s a busy machine may need all


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started once; each test opens contexts of its own."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield chromium
        await chromium.close()


@pytest.fixture(scope="module")
async def shared_system(
    real_parts: tuple[DatabaseServer, Broker], database_of_module: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """The three services for tests that ask of their own leads only; no window passes by itself."""
    folder = tmp_path_factory.mktemp("shared")
    async with running_system(real_parts, database_of_module, folder, window="1h") as running:
        yield running
