"""What a visitor does with the widget, and what the page around it may do."""

import json
from collections.abc import Iterable

import pytest
from playwright.async_api import Error, expect

from tests.widget.conftest import Chat

AGENT = {"kind": "agent", "name": "Ana"}


async def focused(chat: Chat) -> str:
    label: str = await chat.page.evaluate(
        "() => { const inside = throughline.element.shadowRoot.activeElement;"
        " return inside ? inside.getAttribute('aria-label') || inside.className : document.activeElement.localName; }"
    )
    return label


async def events(chat: Chat, names: Iterable[str]) -> None:
    await chat.page.evaluate(
        "(names) => { window.told = []; for (const name of names)"
        " throughline.addEventListener(name, (event) => told.push([name, event.detail])); }",
        list(names),
    )


# --- keyboard and screen readers


async def test_focus_goes_in_and_comes_back(chat: Chat) -> None:
    await chat.visit()
    launcher = chat.page.get_by_role("button", name="Open chat")
    await expect(launcher).to_have_attribute("aria-expanded", "false")
    await launcher.press("Enter")
    assert await focused(chat) == "Write a message"
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.get_by_role("dialog")).to_be_hidden()
    assert await focused(chat) == "Open chat"
    await launcher.press("Enter")
    await chat.page.get_by_role("dialog").get_by_role("button", name="Close chat").press("Enter")
    assert await focused(chat) == "Open chat"


async def test_an_input_method_keeps_its_escape_and_enter(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.field.fill("にほん")
    for key in ("Escape", "Enter"):
        await chat.field.dispatch_event("keydown", {"key": key, "isComposing": True, "bubbles": True})
    await expect(chat.page.get_by_role("dialog")).to_be_visible()
    assert await chat.field.input_value() == "にほん"


async def test_everything_has_a_name(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.peer.say("hello", sender=AGENT)
    await expect(chat.page.get_by_role("dialog", name="Chat with us")).to_be_visible()
    await expect(chat.page.get_by_role("log", name="Chat with us")).to_have_attribute("aria-live", "polite")
    for name in ("Close chat", "Attach a file", "Send message"):
        await expect(chat.page.get_by_role("dialog").get_by_role("button", name=name)).to_be_visible()
    await expect(chat.page.get_by_role("textbox", name="Write a message")).to_be_visible()
    nameless = "(all) => all.filter((one) => one.checkVisibility() && !one.ariaLabel && !one.textContent).length"
    assert await chat.page.locator("button").evaluate_all(nameless) == 0


async def test_a_narrow_panel_covers_the_page_and_keeps_the_focus(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 360, "height": 700})
    await chat.visit()
    await chat.open()
    # It slides in: the place that counts is where it comes to rest.
    await chat.page.get_by_role("dialog").evaluate(
        "(one) => Promise.all(one.getAnimations().map((each) => each.finished))"
    )
    box = await chat.page.get_by_role("dialog").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 360, "height": 700}
    await expect(chat.page.get_by_role("dialog")).to_have_attribute("aria-modal", "true")
    for _ in range(12):
        await chat.page.keyboard.press("Tab")
        assert await focused(chat) != "button"  # the page's own


async def test_a_wide_panel_leaves_the_page_usable(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 1280, "height": 800})
    await chat.visit()
    await chat.open()
    box = await chat.page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["width"] < 400
    await expect(chat.page.get_by_role("dialog")).to_have_attribute("aria-modal", "false")
    await chat.page.get_by_role("button", name="Buy").click()


async def test_no_motion_for_those_who_ask_for_none(chat: Chat) -> None:
    await chat.page.emulate_media(reduced_motion="reduce")
    await chat.visit()
    await chat.open()
    assert await chat.page.get_by_role("dialog").evaluate("(node) => getComputedStyle(node).animationName") == "none"


async def test_the_keyboard_keeps_its_place_when_what_had_it_is_gone(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.nack = lambda frame: {"code": "too_long", "retryable": False}
    for name in ("Try again", "Remove"):
        if name == "Try again":
            await chat.write("bad")
        button = chat.page.get_by_role("button", name=name)
        await button.press("Enter")
        await expect(button).to_have_count(1 if name == "Try again" else 0)
        await expect(chat.field).to_be_focused()
    await chat.peer.drop(4410)
    await chat.page.get_by_role("button", name="Start a new chat").press("Enter")
    await chat.live()
    await expect(chat.field).to_be_focused()


async def test_no_keyboard_rises_over_the_conversation_where_there_is_only_glass(chat: Chat) -> None:
    glass = "const real = matchMedia; window.matchMedia = (q) => q === '(pointer: coarse)' ? {matches: true} : real(q);"
    await chat.page.add_init_script(glass)
    await chat.visit()
    await chat.open()
    assert await focused(chat) == "panel"
    await chat.peer.show("choices", {"text": "Pick", "options": [{"id": "a", "title": "Apple"}]})
    await chat.page.get_by_role("button", name="Apple").click()
    await chat.peer.until_heard("msg")
    assert await focused(chat) == "panel"


@pytest.mark.parametrize(
    ("theme", "system", "dark"),
    [("auto", "dark", True), ("auto", "light", False), ("dark", "light", True), ("light", "dark", False)],
)
async def test_light_and_dark(chat: Chat, theme: str, system: str, dark: bool) -> None:
    await chat.page.emulate_media(color_scheme="dark" if system == "dark" else "light")
    await chat.visit(theme=theme)
    await chat.open()
    colour = await chat.page.get_by_role("dialog").evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") is not dark


@pytest.mark.parametrize(
    ("lang", "word"),
    [
        ("en", "Write a message"),
        ("es-MX", "Escribe un mensaje"),
        ("pt-BR", "Escreva uma mensagem"),
        ("de", "Nachricht schreiben"),
        ("fi", "Write a message"),
        ("x_!", "Write a message"),
    ],
)
async def test_speaks_the_language_of_the_page(chat: Chat, lang: str, word: str) -> None:
    await chat.visit(lang=lang)
    await chat.page.locator(".launcher").click()
    await expect(chat.page.get_by_role("textbox", name=word)).to_be_visible()


# --- writing and reading


async def test_enter_sends_and_shift_enter_does_not(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.field.fill("one")
    await chat.field.press("Shift+Enter")
    await chat.page.keyboard.type("two")
    await chat.field.press("Enter")
    sent = await chat.peer.until_heard("msg")
    assert sent[0]["text"] == "one\ntwo"
    assert sent[0]["page"]["title"] == "A shop"
    await chat.write("   ")
    await chat.write("three")
    sent = await chat.peer.until_heard("msg", 2)
    assert [frame["text"] for frame in sent] == ["one\ntwo", "three"]
    assert "page" not in sent[1]


async def test_too_long_is_said_before_it_is_sent(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.write("\U0001f600" * 4000)
    await chat.peer.until_heard("msg")
    await chat.write("x" * 4003)
    await expect(chat.page.get_by_text("3 characters too long")).to_be_visible()
    assert await chat.field.input_value() == "x" * 4003
    await expect(chat.page.get_by_role("button", name="Send message")).to_be_disabled()


async def test_a_draft_and_the_open_panel_survive_the_page(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.field.fill("half a thou")
    await chat.visit()
    await expect(chat.field).to_have_value("half a thou")
    assert await focused(chat) == "body"


async def test_typing_is_told_seldom_and_taken_back(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.page.keyboard.type("hello, I am typing a lot")
    told = await chat.peer.until_heard("typing")
    await chat.field.press("Enter")
    told = await chat.peer.until_heard("typing", 2)
    assert [frame["on"] for frame in told] == [True, False]
    await chat.peer.push({"t": "typing", "on": True, "ttl_ms": 60_000, "from": AGENT})
    await expect(chat.page.get_by_text("Ana is typing")).to_be_attached()
    await chat.peer.say("done", sender=AGENT)
    await expect(chat.page.get_by_text("Ana is typing")).not_to_be_attached()
    await chat.peer.push({"t": "typing", "on": True, "ttl_ms": 20, "from": AGENT})
    await expect(chat.page.get_by_text("done")).to_be_visible()
    await expect(chat.page.locator(".typing")).to_be_hidden()


async def test_unread_while_closed_and_read_when_open(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.page.keyboard.press("Escape")
    await chat.peer.say("one")
    await chat.peer.say("two")
    await expect(chat.page.get_by_role("button", name="Open chat, 2 unread")).to_be_visible()
    await chat.visit()  # another page of the site
    await expect(chat.page.get_by_role("button", name="Open chat, 2 unread")).to_be_visible()
    assert chat.peer.of("read") == []
    await chat.page.locator(".launcher").click()
    read = await chat.peer.until_heard("read")
    assert read[-1]["seq"] == 2
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()


async def test_the_newest_message_is_in_sight_unless_the_visitor_went_up(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    for number in range(30):
        await chat.peer.say(f"line {number}\n\nand more")
    await expect(chat.page.get_by_text("line 29")).to_be_in_viewport()
    await chat.log.hover()
    await chat.page.mouse.wheel(0, -2_000)
    await expect(chat.page.get_by_text("line 29")).not_to_be_in_viewport()
    await chat.peer.say("the latest")
    jump = chat.page.get_by_role("button", name="New messages")
    await expect(jump).to_be_visible()
    await expect(chat.page.get_by_text("the latest")).not_to_be_in_viewport()
    await jump.click()
    await expect(chat.page.get_by_text("the latest")).to_be_in_viewport()
    await expect(jump).to_be_hidden()


async def test_who_answers(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.peer.record({"t": "conv", "state": "queued"})
    await expect(chat.page.locator(".status")).to_have_text("Waiting for an agent")
    await chat.peer.record({"t": "conv", "state": "agent_joined", "name": "Ana"})
    await expect(chat.page.locator(".status")).to_have_text("Ana")
    await expect(chat.log).to_contain_text("Ana joined the chat")
    await chat.peer.record({"t": "conv", "state": "closed"})
    await expect(chat.log).to_contain_text("Conversation closed")
    await expect(chat.page.locator(".status")).to_be_empty()
    await chat.visit()
    await chat.live()
    await expect(chat.log).to_contain_text("Ana joined the chat")


async def test_a_choice_is_made_once(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    options = [{"id": "a", "title": "Apple"}, {"id": "b", "title": "Pear"}]
    offer = await chat.peer.show("choices", {"text": "Pick", "options": options})
    await chat.page.get_by_role("button", name="Pear").click()
    sent = await chat.peer.until_heard("msg")
    assert sent[0]["reply"] == {"to": offer["id"], "id": "b", "title": "Pear"}
    await chat.visit()
    for name, pressed in (("Apple", "false"), ("Pear", "true")):
        button = chat.page.get_by_role("button", name=name)
        await expect(button).to_be_disabled()
        await expect(button).to_have_attribute("aria-pressed", pressed)


async def test_links_bold_and_lists_are_nodes(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    links = ["https://ok.example/a_(b)?c=1", "https://ok.example/x"]
    await chat.peer.say(f"See **this** at {links[0]}, or [here]({links[1]}).\n\n- one\n- **two**\n\n3. three")
    bubble = chat.page.locator(".bubble")
    await expect(bubble).to_contain_text(f"See this at {links[0]}, or here.")
    assert await bubble.locator("a").evaluate_all("(all) => all.map((one) => one.href)") == links
    assert await bubble.locator("strong").all_text_contents() == ["this", "two"]
    assert await bubble.locator("li").all_text_contents() == ["one", "two", "three"]
    await expect(bubble.locator("ol")).to_have_attribute("start", "3")


async def test_a_place_without_a_name_is_where_it_is(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.peer.show("location", {"latitude": 48.137, "longitude": 0})
    await chat.peer.show("location", {"latitude": 1, "longitude": 2, "address": "Main Street 1"})
    await expect(chat.items).to_have_count(2)
    assert await chat.page.locator(".small").all_text_contents() == ["48.137, 0", "Main Street 1"]


async def test_where_the_visitor_is_is_told_in_few_words(chat: Chat) -> None:
    await chat.page.goto(chat.url(name="t" * 3_000, q="x" * 3_000))
    await chat.open()
    await chat.write("one")
    await chat.write("two")
    first, second = await chat.peer.until_heard("msg", 2)
    assert {name: len(words) for name, words in first["page"].items()} == {"url": 2_048, "title": 2_048, "referrer": 0}
    assert first["page"]["url"].startswith(f"http://localhost:{chat.port}/?name=ttt")
    assert "page" not in second


async def test_the_server_dates(chat: Chat) -> None:
    await chat.page.clock.set_fixed_time("2031-01-01T00:00:00Z")
    await chat.visit()
    await chat.open()
    await chat.peer.say("old", ts="2026-11-19T09:30:00Z")
    await chat.peer.say("late", ts="2026-11-21T23:59:00Z")
    await chat.peer.say("now", ts="2026-11-22T17:59:00Z")
    await expect(chat.items).to_have_count(3)
    days = await chat.page.locator(".day").all_text_contents()
    assert days[1:] == ["yesterday", "today"]
    assert "19" in days[0]
    assert await chat.page.locator("time").first.get_attribute("datetime") == "2026-11-19T09:30:00.000Z"


# --- what the page may call


async def test_identify_takes_the_session_over_and_keeps_what_was_said(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.write("anonymous")
    await chat.peer.until_heard("msg")
    await events(chat, ["identified", "error"])
    await chat.page.evaluate("throughline.identify('user-1')")
    await chat.live()
    assert chat.peer.session.user == "user-1"
    assert len(chat.peer.sessions) == 1
    await expect(chat.items).to_have_count(1)
    assert await chat.page.evaluate("told.map(([name]) => name)") == ["identified"]
    kept = json.loads(await chat.page.evaluate("localStorage.getItem('throughline:site:session')"))
    assert kept["token"] == chat.peer.session.token


async def test_a_bad_proof_leaves_the_visitor_who_he_was(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.write("anonymous")
    await chat.peer.until_heard("msg")
    with pytest.raises(Error, match="401"):
        await chat.page.evaluate("throughline.identify('bad')")
    await chat.live()
    await expect(chat.items).to_have_count(1)
    with pytest.raises(Error, match="signed token"):
        await chat.page.evaluate("throughline.identify(undefined)")


async def test_events_and_calls(chat: Chat) -> None:
    await chat.visit()
    await events(chat, ["open", "close", "unread", "message", "state"])
    await chat.page.evaluate("throughline.open()")
    await chat.live()
    await chat.page.evaluate("throughline.toggle()")
    await chat.peer.say("hello", sender=AGENT)
    await expect(chat.page.locator(".badge")).to_have_text("1")
    told = await chat.page.evaluate("told")
    names = [name for name, _ in told]
    assert names[0] == "open"
    assert "close" in names
    assert [detail for name, detail in told if name == "unread"][-1] == 1
    assert [detail["text"] for name, detail in told if name == "message"] == ["hello"]
    assert [detail["state"] for name, detail in told if name == "state"][-1] == "live"


async def test_works_where_the_browser_keeps_nothing(chat: Chat) -> None:
    for area in ("localStorage", "sessionStorage"):
        forbidden = f"Object.defineProperty(window, '{area}', {{ get() {{ throw new Error('no'); }} }});"
        await chat.page.add_init_script(forbidden)
    await chat.visit()
    await chat.open()
    await chat.write("hello")
    await expect(chat.page.locator(".own.sent")).to_have_count(1)
