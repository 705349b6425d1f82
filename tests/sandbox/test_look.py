"""What the page looks like, to eyes that need contrast, on a small screen, and when the demo is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from tests import servers
from tests.sandbox.demo import Demo, demo

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

PALE = """() => {
  const parts = (color) => (color.match(/[\\d.]+/g) || [0, 0, 0]).map(Number);
  const over = ([r, g, b, a = 1], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
  const light = (color) => color.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(parts(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const written = [...document.querySelectorAll("body *")].filter((node) =>
    [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()) &&
    node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !node.closest(":disabled"));
  return written.flatMap((node) => {
    const back = behind(node);
    const [less, more] = [light(over(parts(getComputedStyle(node).color), back)), light(back)].sort((a, b) => a - b);
    const ratio = (more + 0.05) / (less + 0.05);
    return ratio < 4.5 ? [`${ratio.toFixed(2)} ${node.className}: ${node.textContent.trim().slice(0, 40)}`] : [];
  });
}"""
"""Words whose contrast is below 4.5 (WCAG 2.2, 1.4.3). What is disabled is exempt there."""

# The browser serves all of these tests, so they share its event loop.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser(chromium_path: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=servers.chromium_arguments())
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def running(tmp_path: Path) -> AsyncIterator[Demo]:
    async with demo(tmp_path / "demo-data") as found:
        yield found


@asynccontextmanager
async def looking(browser: Browser, running: Demo, **how: Any) -> AsyncIterator[Page]:
    context = await browser.new_context(locale="en-GB", reduced_motion="reduce", **how)
    page = await context.new_page()
    await page.goto(running.url)
    yield page
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_every_word_can_be_read_and_nothing_is_wider_than_the_screen(
    browser: Browser, running: Demo, scheme: str, viewport: dict[str, int]
) -> None:
    async with looking(browser, running, color_scheme=scheme, viewport=viewport) as page:
        seen: dict[str, list[str]] = {}

        async def look(at: str) -> None:
            seen[at] = await page.evaluate(PALE)
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                seen[at].append("wider than the screen")

        await page.locator("#app-whatsapp").get_by_text("Can I talk to a person?").click()
        await expect(page.locator("#app-whatsapp").get_by_text("I will pass this on")).to_be_visible()
        await look("phone")
        await page.get_by_role("button", name="New customer").click()
        await look("a new customer")
        await page.keyboard.press("Escape")
        for tab in ("Web site", "Mail", "Call", "Slack"):
            await page.get_by_role("tab", name=tab).click()
            await look(tab)
        for dialog in ("What to try", "Failures"):
            await page.get_by_role("button", name=dialog).click()
            await look(dialog)
            await page.keyboard.press("Escape")
        if viewport == NARROW:
            await page.get_by_role("tab", name="Counter").click()
        await page.locator("#counter").get_by_role("button", name="Ana Ribeiro").click()
        await expect(page.get_by_role("log", name="Conversation").get_by_text("I will pass this on")).to_be_visible()
        await look("counter")
        assert {at: words for at, words in seen.items() if words} == {}


async def test_a_demo_that_is_gone_is_told_of_until_it_is_back(browser: Browser, running: Demo) -> None:
    async def gone(route: Route) -> None:
        await route.abort()

    async with looking(browser, running, viewport=NARROW) as page:
        notice = page.get_by_role("alert")
        await expect(page.get_by_label("WhatsApp message", exact=True)).to_be_visible()
        await expect(notice).to_be_hidden()
        await page.route("**/sandbox/api**", gone)
        # What waits for news is not cut off by that: it gets some.
        await running.say({"type": "text", "text": "Do you ship to France?"})
        await expect(notice).to_contain_text("The demo does not answer")
        await page.unroute("**/sandbox/api**", gone)
        await expect(notice).to_be_hidden()
        await expect(page.locator("#app-whatsapp").get_by_text("Do you ship to France?")).to_be_visible()


async def test_a_demo_that_was_begun_anew_is_shown_anew(browser: Browser, running: Demo) -> None:
    """Its key is another one: with the old one nothing could be read behind the counter."""

    async def another(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json={**await answer.json(), "token": "tl_another_one"})

    async def gone(route: Route) -> None:
        await route.abort()

    async with looking(browser, running, viewport=NARROW) as page:
        await expect(page.get_by_label("WhatsApp message", exact=True)).to_be_visible()
        await page.evaluate("document.body.dataset.before = 'yes'")
        await page.route("**/sandbox/api/changes**", gone)
        await running.say({"type": "text", "text": "Do you ship to France?"})
        await expect(page.get_by_role("alert")).to_be_visible()
        await page.route("**/sandbox/api", another)
        await page.unroute("**/sandbox/api/changes**", gone)
        await expect(page.locator("body[data-show]:not([data-before])")).to_be_attached()
