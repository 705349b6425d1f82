"""What stays for the next person at the same browser: nothing, in none of its tabs."""

from playwright.async_api import expect

from tests.widget.conftest import Chat

KEPT = "JSON.stringify(localStorage) + JSON.stringify(sessionStorage)"


async def test_another_customer_at_the_same_browser_sees_nothing(chat: Chat) -> None:
    await chat.visit()
    await chat.page.evaluate("throughline.identify('user-1')")
    await chat.page.locator(".launcher").click()
    await chat.live()
    await chat.write("the secret of one")
    await chat.peer.until_heard("msg")
    await chat.page.evaluate("throughline.identify('user-2')")
    await chat.live()
    assert sorted(str(session.user) for session in chat.peer.sessions.values()) == ["user-1", "user-2"]
    await expect(chat.items).to_have_count(0)
    assert "secret" not in await chat.page.evaluate(KEPT)


async def test_reset_forgets_in_every_tab(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    other = await chat.another_tab()
    await other.open()
    chat.peer.nack = lambda frame: {"code": "unavailable", "retryable": True, "retry_after_ms": 60_000}
    await chat.peer.say("said")
    await chat.write("the secret")
    await chat.peer.until_heard("msg")
    await expect(other.items).to_have_count(1)
    await chat.page.evaluate("throughline.reset()")
    await expect(chat.items).to_have_count(0)
    await expect(other.items).to_have_count(0)
    assert "secret" not in await chat.page.evaluate(KEPT)
    await chat.live()
    assert len(chat.peer.sessions) == 1
    assert chat.peer.asked[-1].get("session_token") is None


async def test_what_was_not_sent_yet_is_forgotten_too(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    other = await chat.another_tab()
    await other.open()
    for tab in (chat, other):
        await tab.field.fill("the secret that was half written")
    await chat.page.evaluate("throughline.reset()")
    for tab in (chat, other):
        await expect(tab.field).to_have_value("")
        assert "secret" not in await tab.page.evaluate(KEPT)


async def test_a_file_that_is_under_way_goes_to_nobody_else(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.gate.clear()
    await chat.pick("secret.pdf", "application/pdf", b"%PDF-1")
    await chat.peer.until(lambda: chat.peer.uploads)
    async with chat.page.expect_event("requestfailed", lambda request: request.url.endswith("/uploads")):
        await chat.page.evaluate("void throughline.reset()")
    chat.peer.gate.set()
    await chat.live()
    await chat.write("somebody else")
    sent = await chat.peer.until_heard("msg")
    assert [frame["type"] for frame in sent] == ["text"]


async def test_a_tab_that_was_signed_in_follows_the_others(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    other = await chat.another_tab()
    await other.open()
    for tab in (chat, other):
        await tab.page.evaluate("throughline.identify('user-1')")
        await tab.live()
    await chat.page.evaluate("throughline.identify('user-2')")
    await chat.live()
    await chat.write("the other customer")
    await other.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # somebody looks at it
    await expect(other.page.get_by_text("the other customer")).to_be_visible()
    assert chat.peer.session.user == "user-2"
