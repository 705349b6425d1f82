"""A browser, a peer and a page for each test of the widget. Everything runs in one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

from tests import servers
from tests.widget.peer import Peer

QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser lives as long as the run, so its tests share the run's event loop."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and "chat" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser(chromium_path: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        arguments = [*servers.chromium_arguments(), *QUIET]
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=arguments)
        yield browser
        await browser.close()


@dataclass
class Chat:
    """One browser profile that visits the page of one peer."""

    peer: Peer
    context: BrowserContext
    page: Page
    port: int

    def url(self, **data: str) -> str:
        return f"http://localhost:{self.port}/?{urlencode(data)}"

    async def visit(self, page: Page | None = None, **data: str) -> Chat:
        """Loads the page, in this tab or another one, and waits until the widget stands on it."""
        page = page or self.page
        await page.goto(self.url(**data))
        await expect(page.locator(".root")).to_be_attached()
        return Chat(self.peer, self.context, page, self.port)

    async def another_tab(self) -> Chat:
        return await self.visit(await self.context.new_page())

    async def open(self) -> Chat:
        """Opens the panel and waits until the conversation is live."""
        dials = len(self.peer.dials)
        await self.page.get_by_role("button", name="Open chat").click()
        await self.live()
        assert len(self.peer.dials) <= dials + 1
        return self

    async def live(self) -> None:
        await self.peer.until(lambda: self.peer.sessions and self.peer.session.sockets)
        await self.state("live")

    async def state(self, wanted: str) -> None:
        await expect(self.page.locator(".root")).to_have_attribute("data-state", wanted)

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def items(self) -> Locator:
        return self.page.locator(".item")

    @property
    def field(self) -> Locator:
        return self.page.get_by_role("textbox")

    async def pick(self, name: str, mime: str, content: bytes) -> None:
        """Chooses a file, as with the paper clip."""
        picker = self.page.locator("input[type=file]")
        await picker.set_input_files({"name": name, "mimeType": mime, "buffer": content})

    async def write(self, text: str) -> None:
        await self.field.fill(text)
        await self.field.press("Enter")

    async def texts(self) -> list[str]:
        return await self.page.locator(".bubble").all_inner_texts()


@pytest_asyncio.fixture(loop_scope="session")
async def chat(browser: Browser) -> AsyncIterator[Chat]:
    peer = Peer()
    runner = web.AppRunner(peer.app(), shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "0.0.0.0", 0)
    await site.start()
    port: int = runner.addresses[0][1]
    context = await browser.new_context(locale="en-GB", timezone_id="UTC")
    page = await context.new_page()
    yield Chat(peer, context, page, port)
    broken = await page.evaluate("window.broken || []")
    await context.close()
    await peer.drop()
    await runner.cleanup()
    assert broken == [], broken
