"""The page in a real browser: a customer on the phone, a visitor of the shop, and the agent behind the counter."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FrameLocator, Locator, Page, async_playwright, expect

from tests import servers
from tests.sandbox.demo import Demo, demo, texts
from tests.sandbox.test_host import PNG

RETURNS = "How long do I have to return something?"
FRANCE = "Do you ship to France?"


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


@pytest_asyncio.fixture(loop_scope="module")
async def page(running: Demo, browser: Browser) -> AsyncIterator[Page]:
    """It must not complain: neither an error nor a refusal of the content policy."""
    context = await browser.new_context(locale="en-GB", viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    await page.goto(running.url)
    await expect(page.get_by_text("Nobody has written yet.")).to_be_visible()
    yield page
    await context.close()
    assert complaints == []


def phone(page: Page) -> Locator:
    return page.locator("#phone")


def counter(page: Page) -> Locator:
    return page.locator("#counter")


def shop(page: Page) -> FrameLocator:
    return page.frame_locator("iframe.site")


async def write(page: Page, text: str) -> None:
    field = phone(page).get_by_label("WhatsApp message", exact=True)
    await field.fill(text)
    await field.press("Enter")


async def answer(page: Page, text: str) -> None:
    await page.get_by_label("Answer as an agent").fill(text)
    await page.get_by_role("button", name="Answer", exact=True).click()


async def test_a_question_on_the_phone(page: Page) -> None:
    """The AI's answer, blue ticks on both sides, and one conversation that says who holds it and why."""
    await write(page, RETURNS)
    await expect(phone(page).locator(".theirs .bubble")).to_contain_text("60 days")
    await expect(phone(page).locator(".mine").get_by_label("Read")).to_be_visible()
    await counter(page).get_by_role("button", name="Ana Ribeiro").click()
    lines = counter(page).locator(".entry-line")
    await expect(lines).to_have_count(2)
    await expect(lines.nth(0)).to_contain_text(RETURNS)
    await expect(lines.nth(1)).to_contain_text("read")
    await expect(counter(page).locator(".seq")).to_have_text(["1", "2"])
    await expect(counter(page).locator(".why")).to_have_text("The customer wrote")
    await expect(counter(page).locator(".heading .badge")).to_have_text("AI")


async def test_what_a_phone_can_send(page: Page, running: Demo) -> None:
    """Pictures, places, voice, reactions, edits: each arrives behind the counter."""
    attach = phone(page).get_by_role("button", name="Attach")
    await attach.click()
    await page.get_by_role("menuitem", name="A sample photo").click()
    await expect(phone(page).locator("img.media-image")).to_be_visible()
    await counter(page).get_by_role("button", name="Ana Ribeiro").click()
    stored = counter(page).locator("img.stored")
    await expect(stored).to_be_visible()
    assert await stored.evaluate("image => image.decode().then(() => image.naturalWidth)") == 640
    await attach.click()
    await page.get_by_role("menuitem", name="Malham Cove").click()
    await expect(counter(page).locator(".fact", has_text="Malham Cove")).to_be_visible()
    await attach.click()
    await page.get_by_role("menuitem", name="A sticker").click()
    await expect(counter(page).locator("img.stored")).to_have_count(2)
    await attach.click()
    await page.get_by_role("menuitem", name="My contact card").click()
    await expect(counter(page).locator(".fact", has_text="+351912345678")).to_be_visible()
    await (
        phone(page)
        .locator("#app-whatsapp input[type=file]")
        .set_input_files({"name": "invoice.png", "mimeType": "image/png", "buffer": PNG})
    )
    await expect(counter(page).locator("img.stored")).to_have_count(3)
    await phone(page).get_by_role("button", name="Record a voice note").click()
    await phone(page).get_by_role("button", name="Send the voice note").click()
    await expect(counter(page).locator(".said audio")).to_be_visible()
    screen = await running.get("/sandbox/api/phones/351912345678")
    assert [one["content"]["kind"] for one in screen["messages"] if one["mine"]] == [
        "image", "location", "sticker", "contact", "image", "audio",
    ]  # fmt: skip


async def test_reactions_edits_and_deletions(page: Page) -> None:
    await write(page, RETURNS)
    theirs, mine = phone(page).locator(".line.theirs").first, phone(page).locator(".line.mine").first
    await expect(theirs).to_contain_text("60 days")
    await theirs.get_by_label("React, reply and more").click()
    await page.get_by_role("menuitem", name="React with 👍").click()
    await expect(theirs.locator(".reactions")).to_have_text("👍")
    await mine.get_by_label("React, reply and more").click()
    await page.get_by_role("menuitem", name="Edit").click()
    await write(page, FRANCE)
    await expect(mine).to_contain_text(f"{FRANCE}edited")
    await mine.get_by_label("React, reply and more").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await expect(mine).to_contain_text("This message was deleted")


async def test_an_agent_takes_over_and_offers_choices(page: Page) -> None:
    await write(page, "Can I talk to a person?")
    await counter(page).get_by_role("button", name="Ana Ribeiro").click()
    await expect(counter(page).locator(".heading .badge")).to_have_text("Queue")
    await expect(counter(page).locator(".why")).to_contain_text("The customer asked for a person")
    await page.get_by_role("button", name="Take over").click()
    await expect(counter(page).locator(".heading .badge")).to_have_text("Robin")
    await page.get_by_label("Offer choices to tap").click()
    await page.get_by_label("Choices to offer").fill("Refund, Exchange")
    await answer(page, "Robin here. What would you like?")
    await expect(phone(page).locator(".theirs", has_text="Robin here.")).to_be_visible()
    await phone(page).get_by_role("button", name="Exchange").click()
    await expect(phone(page).get_by_role("button", name="Exchange")).to_have_attribute("aria-pressed", "true")
    await expect(counter(page).locator(".fact", has_text="Exchange")).to_be_visible()
    await expect(counter(page).locator(".said", has_text="Robin here.").get_by_label("read")).to_be_visible()
    await page.get_by_role("button", name="To AI").click()
    await expect(counter(page).locator(".heading .badge")).to_have_text(re.compile("AI|Queue"))


async def test_the_shop_and_the_phone_are_two_customers(page: Page) -> None:
    """The real widget: its visitor has one conversation, the phone's customer another; the agent answers in it."""
    await write(page, RETURNS)
    await shop(page).get_by_role("button", name="Open chat").click()
    await shop(page).get_by_role("textbox").fill(FRANCE)
    await shop(page).get_by_role("textbox").press("Enter")
    await expect(shop(page).get_by_role("log")).to_contain_text("4 to 7 working days")
    await expect(counter(page).locator(".entry")).to_have_count(2)
    await counter(page).get_by_role("button", name="Web visitor").click()
    await expect(counter(page).locator(".entry-line")).to_have_count(2)
    await answer(page, "Anything else that I can do?")
    await expect(shop(page).get_by_role("log")).to_contain_text("Anything else that I can do?")
    await expect(counter(page).locator(".heading .badge")).to_have_text("Robin")
    await expect(phone(page).locator(".theirs")).to_have_count(1)
    await page.get_by_role("button", name="New visitor").click()
    await expect(shop(page).get_by_role("log")).not_to_contain_text(FRANCE)


async def test_words_of_customers_are_never_markup(page: Page, running: Demo) -> None:
    nasty = '<img src=x onerror="window.broken=1"><b>bold</b><script>window.broken=1</script>'
    await running.ask("POST", "/sandbox/api/phones", {"name": nasty[:80], "phone": "447700900123"})
    await running.say({"type": "text", "text": nasty}, "447700900123")
    await running.say({"type": "location", "latitude": 1, "longitude": 1, "name": nasty}, "447700900123")
    await page.reload()
    await page.get_by_label("Which customer you are").select_option("447700900123")
    await expect(phone(page).locator(".mine .text")).to_have_text(nasty)
    await counter(page).locator(".entry").first.click()
    await expect(counter(page).locator(".entry-line.in .said p").first).to_have_text(nasty)
    assert await page.evaluate("window.broken") is None
    assert (
        await page.locator("#phone b, #counter b").evaluate_all("all => all.some(b => b.textContent === 'bold')")
        is False
    )


async def test_failures_are_switched_on_and_off(page: Page, running: Demo) -> None:
    await page.get_by_role("button", name="Failures").click()
    await page.get_by_role("button", name="500 error").click()
    await expect(page.locator(".pending .chip-static")).to_have_text(["500 error"])
    await page.get_by_label("Every webhook twice").check()
    assert (await running.get("/sandbox/api"))["switches"]["duplicates"] is True
    await page.keyboard.press("Escape")
    await write(page, RETURNS)
    await expect(phone(page).locator(".theirs .bubble")).to_contain_text("60 days")
    assert len(texts(await running.get("/sandbox/api/phones/351912345678"))) == 1
    await page.get_by_role("button", name="Failures").click()
    await expect(page.locator(".pending .chip-static")).to_have_count(0)
    await page.get_by_role("button", name="All as usual").click()
    await expect(page.get_by_label("Every webhook twice")).not_to_be_checked()


async def test_every_pane_fits_every_width(page: Page) -> None:
    """Nothing sticks out sideways, whichever pane is shown."""
    await write(page, RETURNS)
    await counter(page).get_by_role("button", name="Ana Ribeiro").click()
    for width, height in ((1440, 900), (1380, 800), (1379, 800), (1024, 768), (820, 1100), (390, 844), (340, 640)):
        await page.set_viewport_size({"width": width, "height": height})
        for name in ("Phone", "Web site", "Mail", "Call", "Slack", "Counter"):
            tab = page.get_by_role("tab", name=name, exact=True)
            if await tab.is_visible():
                await tab.click()
            wide = await page.evaluate(
                "[document.documentElement, ...document.querySelectorAll('.pane, .pane *')].filter(one => "
                "one.offsetParent && !one.closest('svg') && one.getBoundingClientRect().right > innerWidth + 1)"
                ".map(one => one.className)"
            )
            assert wide == [], (width, name)


# --- the places beside the first telephone ------------------------------------------------------------------------


async def test_a_text_message_joins_the_conversation_of_the_phone(page: Page) -> None:
    await write(page, RETURNS)
    await expect(phone(page).locator("#app-whatsapp .theirs .bubble")).to_contain_text("60 days")
    await phone(page).get_by_role("tab", name="Messages").click()
    texts = phone(page).locator("#app-sms")
    await texts.get_by_role("button", name="Do you ship to France?").click()
    await expect(texts.locator(".theirs .bubble")).to_contain_text("4 to 7 working days")
    await expect(phone(page).locator(".which")).to_contain_text("WhatsApp, SMS")
    await expect(counter(page).locator(".entry")).to_have_count(1)
    await phone(page).locator(".which-chip").click()
    await expect(counter(page).locator(".entry-line")).to_have_count(4)


async def test_a_mail_is_written_answered_and_kept_apart_when_nobody_vouches(page: Page) -> None:
    await page.get_by_role("tab", name="Mail").click()
    mail = page.locator("#mail")
    await mail.get_by_role("button", name="New mail").click()
    await mail.get_by_label("Subject").fill("Returns")
    await mail.get_by_label("Text of the mail").fill(RETURNS)
    await mail.get_by_role("button", name="Send", exact=True).click()
    await expect(mail.locator(".mail.theirs")).to_contain_text("60 days")
    await mail.get_by_label("Answer the mail").fill(FRANCE)
    await mail.get_by_role("button", name="Answer", exact=True).click()
    await expect(mail.locator(".mail.theirs")).to_have_count(2)
    await expect(mail.locator(".which")).to_contain_text("nothing proves that this address")
    await mail.get_by_role("button", name="Back to the list").click()
    await mail.get_by_role("button", name="New mail").click()
    await mail.get_by_label("Text of the mail").fill("Where is my order?")
    await mail.get_by_label("Sender is proven").uncheck()
    await mail.get_by_role("button", name="Send", exact=True).click()
    await expect(mail.get_by_text("unproven")).to_be_visible()
    await expect(mail.locator(".which")).to_contain_text("Kept apart")
    await expect(counter(page).locator(".entry")).to_have_count(2)


async def test_a_call_is_spoken_interrupted_and_over(page: Page) -> None:
    await page.get_by_role("tab", name="Call").click()
    call = page.locator("#call")
    await call.get_by_role("button", name="Call", exact=True).click()
    await expect(call.locator(".utter.theirs")).to_have_text(re.compile("Hello. How can I help you?"))
    await call.get_by_label("What the caller says").fill(RETURNS)
    await call.get_by_label("What the caller says").press("Enter")
    await expect(call.locator(".utter.speaking")).to_contain_text("You can return")
    await call.get_by_role("button", name="Interrupt").click()
    await expect(call.locator(".utter s")).to_be_visible()
    await counter(page).locator(".entry").first.click()
    await expect(counter(page).get_by_text("Call interrupted")).to_be_visible()
    await call.get_by_role("button", name="Hang up").click()
    await expect(call.get_by_role("status").filter(has_text="The call is over.")).to_be_visible()


async def test_a_caller_who_wants_a_person_is_put_through(page: Page) -> None:
    await page.get_by_role("tab", name="Call").click()
    call = page.locator("#call")
    await call.get_by_role("button", name="Call", exact=True).click()
    await call.get_by_role("button", name="Can I talk to a person?").click()
    await call.get_by_role("button", name="Is away").click()
    await expect(call.get_by_text("After the tone: leave a message.")).to_be_visible()
    await call.get_by_label("What the caller says").fill("Please call me back.")
    await call.get_by_role("button", name="Say it").click()
    await expect(call.get_by_role("link", name="Its words")).to_be_visible()


async def test_who_takes_over_is_who_the_field_says_now(page: Page) -> None:
    await write(page, RETURNS)
    await counter(page).locator(".entry").first.click()
    await page.get_by_label("Your name as an agent").fill("Anna")
    await counter(page).get_by_role("button", name="Take over").click()
    await expect(counter(page).locator(".heading .badge")).to_have_text("Anna")
    await expect(counter(page).get_by_role("button", name="Take over")).to_be_disabled()
    await page.get_by_label("Your name as an agent").fill("Berta")
    await expect(counter(page).get_by_role("button", name="Take over")).to_be_enabled()


async def test_who_has_hung_up_is_called(page: Page) -> None:
    await page.get_by_role("tab", name="Call").click()
    call = page.locator("#call")
    await call.get_by_role("button", name="Call", exact=True).click()
    await call.get_by_role("button", name=RETURNS).click()
    await expect(call.locator(".utter.theirs").last).to_contain_text("labels")
    await call.get_by_role("button", name="Hang up").click()
    await counter(page).locator(".entry").first.click()
    await answer(page, "Your parcel is here.")
    await call.get_by_role("button", name="Pick up").click()
    await expect(call.locator(".utter.theirs")).to_contain_text("Your parcel is here.")


async def test_a_workspace_has_threads_and_reactions(page: Page) -> None:
    await page.get_by_role("tab", name="Slack").click()
    room = page.locator("#room")
    await room.get_by_role("tab", name="#larkridge-help").click()
    await room.get_by_label("Slack message", exact=True).fill(f"@throughline {FRANCE}")
    await room.get_by_label("Slack message", exact=True).press("Enter")
    answered = room.locator(".in-thread.theirs")
    await expect(answered).to_contain_text("4 to 7 working days")
    await expect(room.locator(".which")).to_contain_text("A group's conversation")
    await answered.get_by_label("React, reply and more").click()
    await page.get_by_role("menuitem", name="React with 👍").click()
    await expect(answered.locator(".reactions")).to_have_text("👍")
    await room.get_by_role("tab", name="throughline").click()
    await room.get_by_role("button", name=RETURNS).click()
    await expect(room.locator(".theirs .bubble")).to_contain_text("60 days")


async def test_another_customer_is_another_one_everywhere(page: Page) -> None:
    await write(page, RETURNS)
    await expect(counter(page).locator(".entry")).to_have_count(1)
    await page.get_by_role("button", name="New customer").click()
    await page.get_by_role("button", name="Be this customer").click()
    await expect(phone(page).locator(".mine")).to_have_count(0)
    await page.get_by_role("tab", name="Mail").click()
    await expect(page.locator("#mail .own-address")).to_have_text("tom.whitfield@home.example")
    await write(page, FRANCE)
    await expect(counter(page).locator(".entry")).to_have_count(2)


async def test_the_keyboard_stays_where_it_was(page: Page, running: Demo) -> None:
    """Also when what it is on has changed because of it, or something came meanwhile."""
    await page.get_by_role("button", name="Failures").press("Enter")
    switch = page.get_by_label("Every webhook twice")
    await switch.press("Space")
    await expect(switch).to_be_checked()
    await expect(switch).to_be_focused()
    await page.keyboard.press("Escape")
    await page.get_by_role("tab", name="Slack", exact=True).press("Enter")
    tab = page.locator("#room").get_by_role("tab", name="throughline")
    await tab.focus()
    await running.act("slack", type="text", text=RETURNS)
    await expect(page.locator("#room .theirs .bubble")).to_contain_text("60 days")
    await expect(tab).to_be_focused()


async def test_each_provider_fails_in_its_own_ways(page: Page, running: Demo) -> None:
    await page.get_by_role("button", name="Failures").click()
    await page.get_by_label("Which provider").select_option("mail")
    await page.get_by_text("Bounce later").click()
    await page.get_by_role("button", name="451 try later").click()
    await expect(page.locator(".pending .chip-static")).to_have_text(["451 try later"])
    switches = {one["card"]["id"]: one["switches"] for one in (await running.get("/sandbox/api"))["places"]}
    assert (switches["mail"]["bounces"], switches["mail"]["faults"]) == ("later", ["later"])
    await page.get_by_role("button", name="All as usual").click()
    await expect(page.locator(".pending .chip-static")).to_have_count(0)
    await expect(page.get_by_role("radio", name="Arrive", exact=True)).to_be_checked()
