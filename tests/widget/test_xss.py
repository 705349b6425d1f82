"""What strangers write stays text: in every place where the widget shows something that came over the wire.

The page forbids inline script and every sink that parses HTML; whatever breaks that fails the `chat` fixture as well.
"""

from playwright.async_api import expect

from tests.widget.conftest import Chat
from tests.widget.peer import Frame
from tests.widget.xss import TEXTS

KNOWN = {
    "a", "button", "div", "h2", "i", "img", "input", "li", "ol", "p", "path", "progress", "section", "small", "span",
    "strong", "svg", "textarea", "time", "ul",
}  # fmt: skip
"""All that the widget itself makes. Pictures only where a test sends pictures."""

CENSUS = """() => {
  const root = throughline.element.shadowRoot;
  const all = [...root.querySelectorAll('*')];
  const attributes = all.flatMap((node) => node.getAttributeNames());
  return {
    tags: [...new Set(all.map((node) => node.localName))],
    handlers: [...new Set(attributes.filter((name) => name.startsWith('on')))],
    links: [...new Set([...root.querySelectorAll('a')].map((a) => `${new URL(a.href).protocol} ${a.rel} ${a.target}`))],
    outside: document.querySelectorAll('body *').length,
    custom: document.querySelectorAll('throughline-chat').length,
  };
}"""


async def check(chat: Chat, pictures: bool = False) -> None:
    found = await chat.page.evaluate(CENSUS)
    assert set(found["tags"]) <= KNOWN - (set() if pictures else {"img"})
    assert found["handlers"] == []
    assert set(found["links"]) <= {f"{scheme}: noopener noreferrer nofollow _blank" for scheme in ("http", "https")}
    assert (found["outside"], found["custom"]) == (5, 1)


async def replay(chat: Chat) -> None:
    """The page again: everything comes through the history and the replay."""
    await chat.peer.drop()
    await chat.visit()
    await chat.live()


def test_the_table_is_large() -> None:
    assert len(TEXTS) >= 300


async def test_as_messages_of_the_assistant(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    for text in TEXTS:
        await chat.peer.say(text)
    await expect(chat.items).to_have_count(len(TEXTS))
    await check(chat)


async def test_as_messages_of_the_visitor_they_stand_as_they_were_written(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    for number, text in enumerate(TEXTS):
        frame = {"t": "msg", "id": f"v{number}", "from": {"kind": "visitor"}, "type": "text", "content": {"text": text}}
        await chat.peer.record(frame)
    await expect(chat.items).to_have_count(len(TEXTS))
    await check(chat)
    shown = await chat.page.evaluate(
        "[...throughline.element.shadowRoot.querySelectorAll('.bubble')]"
        ".map((node) => [...node.children].map((p) => p.textContent).join('\\n'))"
    )
    lines = [[line for line in text.split("\n") if line.strip()] for text in TEXTS]
    assert [[line for line in text.split("\n") if line.strip()] for text in shown] == lines


async def test_as_names_and_agents(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    for text in TEXTS:
        await chat.peer.say("x", sender={"kind": "agent", "name": text})
    await chat.peer.record({"t": "conv", "state": "agent_joined", "name": TEXTS[0]})
    await chat.peer.push({"t": "typing", "on": True, "from": {"kind": "agent", "name": TEXTS[0]}})
    await expect(chat.page.locator(".typing .sr")).to_have_text(f"{TEXTS[0]} is typing")
    await expect(chat.page.locator(".status")).to_have_text(TEXTS[0])
    await expect(chat.page.locator(".notice").last).to_have_text(f"{TEXTS[0]} joined the chat")
    names = await chat.page.locator(".who").all_text_contents()
    assert names == list(TEXTS)
    await check(chat, pictures=True)


async def test_as_choices_files_links_and_contacts(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    peer = chat.peer
    for text in TEXTS:
        options = [{"id": text, "title": text, "description": text, "section": text}]
        content: Frame = {"text": text, "header": text, "footer": text, "options": options}
        content["link"] = {"title": text, "url": text}
        await peer.show("choices", content)
        await peer.show("document", {"name": text, "mime": text, "size": 7, "url": text, "text": text})
        await peer.show("image", {"name": text, "url": text, "text": text})
        await peer.show("location", {"name": text, "address": text, "url": text, "latitude": text, "longitude": text})
        await peer.show("contact", {"name": text, "organization": text, "phones": [text], "emails": [text]})
    await expect(chat.items).to_have_count(5 * len(TEXTS))
    titles = await chat.page.evaluate(
        "[...throughline.element.shadowRoot.querySelectorAll('button.choice')].map((one) => one.firstChild.textContent)"
    )
    assert titles == list(TEXTS)
    await check(chat, pictures=True)


async def test_as_a_choice_that_is_taken_and_a_file_that_is_sent(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    text = TEXTS[0]
    await chat.peer.show("choices", {"text": "?", "options": [{"id": text, "title": text}]})
    await chat.page.locator(".choice").click()
    sent = await chat.peer.until_heard("msg")
    assert sent[0]["reply"]["title"] == text
    name = "<img src=x onerror=alert(1)>.pdf"
    await chat.pick(name, "application/pdf", b"%PDF")
    await expect(chat.page.locator(".own .name").last).to_have_text(name)
    await check(chat)


async def test_as_ids_types_states_and_whole_frames(chat: Chat) -> None:
    """A server never sends these; the conversation must outlive them."""
    await chat.visit()
    await chat.open()
    peer = chat.peer
    odd: list[object] = [
        None,
        True,
        7,
        -1,
        1e300,
        "x",
        [],
        {},
        [[]],
        {"text": {}},
        "__proto__",
        "constructor",
        "toString",
    ]
    for value in odd:
        await peer.push({"t": value, "seq": value})
        for kind in ("msg", "upd", "del", "read", "conv", "typing", "ack", "nack", "skip"):
            frame = {"t": kind, "id": value, "cid": value, "from": value, "type": value, "content": value, "ts": value}
            more = dict.fromkeys(("state", "name", "up_to", "code", "ttl_ms", "on", "status", "reply_to"), value)
            await peer.push({**frame, **more})
        for type_, content in (
            ("parts", {"parts": [value, {"type": "text", "content": value}]}),
            ("choices", {"text": "x", "options": value, "link": value}),
            ("choices", {"text": "x", "options": [value, {"id": value, "title": value}]}),
            ("contact", {"name": value, "phones": value, "emails": [value]}),
            ("image", {"name": value, "url": value, "size": value}),
        ):
            await peer.push({"t": "msg", "id": f"odd {type_}", "type": type_, "content": content})
    await peer.say("still here")
    await expect(chat.log).to_contain_text("still here")
    await check(chat)


async def test_as_titles_of_the_page_and_of_the_chat(chat: Chat) -> None:
    for text in (*TEXTS[:12], "'\"><img src=x onerror=alert(1)>"):
        chat.peer.ui = {"title": text, "greeting": text, "colour": text}
        await chat.visit(name=text)
        await chat.open()
        assert await chat.page.locator("h2").text_content() == text
        assert await chat.page.locator(".hello").text_content() == text
        await check(chat)
        await chat.context.clear_cookies()
        await chat.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")


async def test_from_the_history_too(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    for text in TEXTS[:40]:
        await chat.peer.say(text)
    await replay(chat)
    await expect(chat.items).to_have_count(40)
    await check(chat)
