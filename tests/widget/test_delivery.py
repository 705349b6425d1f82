"""What the visitor sends arrives once and in order, and what he is sent is shown once: whatever becomes of the line."""

from functools import partial

from playwright.async_api import expect

from tests.widget.conftest import Chat
from tests.widget.peer import Frame


def cids(frames: list[Frame]) -> list[str]:
    return [frame["cid"] for frame in frames]


def stored(chat: Chat) -> list[str]:
    return [frame["content"]["text"] for frame in chat.peer.session.frames if frame["from"]["kind"] == "visitor"]


def has_stored(chat: Chat, text: str) -> bool:
    return text in stored(chat)


def later(ms: int) -> Frame:
    return {"code": "unavailable", "retryable": True, "retry_after_ms": ms}


async def left_in_outbox(chat: Chat) -> list[str]:
    keys: list[str] = await chat.page.evaluate("Object.keys(localStorage)")
    return [key for key in keys if key.startswith("throughline:site:out:")]


async def test_a_visit_without_a_word_opens_no_session(chat: Chat) -> None:
    await chat.visit()
    await chat.state("idle")
    assert chat.peer.asked == []


async def test_sent_then_read(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.mute_acks = True
    chat.peer.lose = lambda frame: True
    chat.peer.nack = lambda frame: later(50) if len(chat.peer.of("msg")) < 2 else None
    await chat.write("hello")
    await expect(chat.page.locator(".own.sending")).to_have_count(1)
    await chat.peer.until_heard("msg", 2)
    await expect(chat.page.locator(".own.sent .meta")).to_contain_text("Sent")
    chat.peer.lose = lambda frame: False
    await chat.peer.record({"t": "read", "up_to": 1})
    await expect(chat.page.locator(".own.read .meta")).to_contain_text("Read")
    assert await chat.texts() == ["hello"]


async def test_after_a_break_the_missed_messages_come_once_and_in_order(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.peer.say("one")
    await expect(chat.items).to_have_count(1)
    await chat.peer.drop()
    await chat.peer.say("two")
    await chat.peer.say("three")
    await chat.live()
    assert chat.peer.dials[-1]["resume_from"] == 1
    await expect(chat.items).to_have_count(3)
    assert await chat.texts() == ["one", "two", "three"]


async def test_many_breaks(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.page.clock.install()
    for number in range(8):
        await chat.write(f"mine {number}")
        await chat.peer.drop(1011 if number % 2 else 4408)
        await chat.peer.say(f"theirs {number}")
        await chat.page.clock.run_for(31_000)
        await chat.live()
        await chat.peer.until(partial(has_stored, chat, f"mine {number}"))
    assert stored(chat) == [f"mine {number}" for number in range(8)]
    await chat.page.clock.run_for(100)
    await expect(chat.items).to_have_count(16)
    seen = [frame["content"]["text"] for frame in chat.peer.session.frames]
    assert await chat.texts() == seen
    assert await left_in_outbox(chat) == []


async def test_a_lost_ack_is_made_good_with_the_same_cid(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.mute_acks = True
    await chat.write("only once")
    first = await chat.peer.until_heard("msg")
    await chat.peer.drop()
    chat.peer.mute_acks = False
    await chat.live()
    assert len(chat.peer.session.frames) == 1
    assert len({*cids(first), *cids(chat.peer.of("msg"))}) == 1
    await expect(chat.page.locator(".own.sent")).to_have_count(1)
    assert await left_in_outbox(chat) == []


async def test_an_ack_that_does_not_come_is_not_waited_for_for_ever(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.page.clock.install()
    chat.peer.lose = lambda frame: True
    chat.peer.mute_acks = True
    chat.peer.nack = lambda frame: {"code": "other", "cid": "not this one"}
    await chat.write("hello?")
    await chat.peer.until_heard("msg")
    chat.peer.nack, chat.peer.mute_acks = (lambda frame: None), False
    await chat.page.clock.run_for(10_000)
    await chat.peer.until(lambda: len(chat.peer.dials) == 2)
    await chat.peer.until(lambda: stored(chat) == ["hello?"])


async def test_the_outbox_survives_the_page(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.nack = lambda frame: later(60_000)
    for text in ("a", "b", "c"):
        await chat.write(text)
    await expect(chat.page.locator(".own.sending")).to_have_count(3)
    chat.peer.nack = lambda frame: None
    before = chat.peer.of("msg")
    await chat.visit()
    await chat.live()
    await chat.peer.until(lambda: stored(chat) == ["a", "b", "c"])
    assert cids(chat.peer.of("msg"))[len(before)] == before[0]["cid"]
    await expect(chat.page.locator(".own.sent")).to_have_count(3)
    assert await chat.texts() == ["a", "b", "c"]
    assert await left_in_outbox(chat) == []


async def test_written_without_a_line_and_sent_when_there_is_one(chat: Chat) -> None:
    await chat.visit()
    chat.peer.session_status = 503
    await chat.page.get_by_role("button", name="Open chat").click()
    for text in ("first", "second", "third"):
        await chat.write(text)
    await expect(chat.page.locator(".own.sending")).to_have_count(3)
    await expect(chat.page.get_by_text("Not connected")).to_be_visible()
    chat.peer.session_status = None
    # by itself it may be quicker than the finger: the button is then out of sight
    await chat.page.locator(".banner button").dispatch_event("click")
    await chat.live()
    await chat.peer.until(lambda: stored(chat) == ["first", "second", "third"])
    await expect(chat.page.get_by_text("Not connected")).to_be_hidden()


async def test_one_in_flight(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    held = [True]
    chat.peer.nack = lambda frame: {**later(30), "code": "rate_limited"} if held[0] else None
    await chat.write("one")
    await chat.write("two")
    await chat.peer.until_heard("msg", 4)
    assert {frame["text"] for frame in chat.peer.of("msg")} == {"one"}
    held[0] = False
    await chat.peer.until(lambda: stored(chat) == ["one", "two"])


async def test_the_next_leaves_when_the_one_before_was_answered_for(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.nack = lambda frame: {"code": "other", "cid": "not this one"}  # no answer to what was sent
    for text in ("one", "two", "three"):
        await chat.write(text)
    typed = len(chat.peer.of("typing"))
    await chat.page.keyboard.type("more")
    await chat.peer.until_heard("typing", typed + 1)  # whatever was sent before has arrived
    assert [frame["text"] for frame in chat.peer.of("msg")] == ["one"]


async def test_a_refused_message_can_be_sent_again_under_a_new_cid(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.nack = lambda frame: {"code": "too_long", "retryable": False} if frame["text"] == "bad" else None
    await chat.write("bad")
    await chat.write("good")
    await expect(chat.page.locator(".own.failed .meta")).to_contain_text("Not sent")
    assert stored(chat) == ["good"]
    await chat.visit()  # a failed message is not forgotten
    await expect(chat.page.locator(".own.failed")).to_have_count(1)
    chat.peer.nack = lambda frame: None
    await chat.page.get_by_role("button", name="Try again").click()
    await chat.peer.until(lambda: stored(chat) == ["good", "bad"])
    sent = cids([frame for frame in chat.peer.of("msg") if frame["text"] == "bad"])
    assert len(set(sent)) == 2
    await expect(chat.page.locator(".own.failed")).to_have_count(0)


async def test_a_refused_message_can_be_removed(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.nack = lambda frame: {"code": "too_long", "retryable": False}
    await chat.write("bad")
    await chat.page.get_by_role("button", name="Remove").click()
    await expect(chat.items).to_have_count(0)
    assert await left_in_outbox(chat) == []


async def test_two_tabs_see_the_same_in_the_same_order(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    other = await chat.another_tab()
    await other.open()
    assert len(chat.peer.sessions) == 1
    await chat.write("from one")
    await expect(other.items).to_have_count(1)
    await other.write("from two")
    await expect(chat.items).to_have_count(2)
    await chat.peer.say("to both")
    for tab in (chat, other):
        await expect(tab.items).to_have_count(3)
        assert await tab.texts() == ["from one", "from two", "to both"]
        await expect(tab.page.locator(".own.sent")).to_have_count(2)


async def test_a_hole_is_asked_for(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.peer.say("one")
    chat.peer.lose = lambda frame: frame["content"]["text"] == "two"
    await chat.peer.say("two")
    await chat.peer.say("three")
    await chat.peer.until(lambda: len(chat.peer.dials) == 2)
    assert chat.peer.dials[1]["resume_from"] == 1
    await expect(chat.items).to_have_count(3)
    assert await chat.texts() == ["one", "two", "three"]


async def test_what_is_no_longer_replayed_comes_from_the_history(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.peer.say("seen")
    await expect(chat.items).to_have_count(1)
    await chat.peer.drop()
    for number in range(120):
        await chat.peer.say(f"missed {number}")
    chat.peer.oldest = 100
    await chat.live()
    await expect(chat.log).to_contain_text("missed 119")
    earlier = chat.page.get_by_role("button", name="Earlier messages")
    while (await chat.texts())[0] != "seen":
        count = await chat.items.count()
        await earlier.click()
        await expect(chat.items).not_to_have_count(count)
    await expect(earlier).to_be_hidden()
    assert await chat.texts() == ["seen", *(f"missed {number}" for number in range(120))]


async def test_edits_and_withdrawals(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    first = await chat.peer.say("wrogn")
    second = await chat.peer.say("secret")
    await chat.peer.record({"t": "upd", "id": first["id"], "type": "text", "content": {"text": "right"}, "final": True})
    await chat.peer.record({"t": "del", "id": second["id"]})
    await expect(chat.items).to_have_count(1)
    assert await chat.texts() == ["right"]
    await chat.visit()
    await chat.live()
    assert await chat.texts() == ["right"]


async def test_an_answer_that_is_being_written(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    for text in ("Your", "Your order", "Your order is"):
        await chat.peer.push({"t": "upd", "id": "m9", "content": {"text": text}, "final": False})
    await expect(chat.page.locator(".partial .bubble")).to_have_text("Your order is")
    whole = {"type": "text", "content": {"text": "Your order is here."}}
    await chat.peer.record({"t": "msg", "id": "m9", "from": {"kind": "bot"}, **whole})
    await expect(chat.page.locator(".partial")).to_have_count(0)
    assert await chat.texts() == ["Your order is here."]
    await chat.peer.push({"t": "upd", "id": "m10", "content": {"text": "half"}, "final": False})
    await expect(chat.items).to_have_count(2)
    await chat.peer.drop()
    await chat.peer.until(lambda: len(chat.peer.dials) == 2)
    await chat.live()
    await expect(chat.items).to_have_count(1)


async def test_a_refused_token_is_renewed(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.hello_close = [4401]
    await chat.peer.drop()
    await chat.peer.until(lambda: len(chat.peer.asked) == 2)
    await chat.live()
    assert chat.peer.asked[1]["session_token"] == chat.peer.session.token


async def test_a_token_that_can_not_be_renewed_is_dropped(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.hello_close = [4401, 4401]
    await chat.peer.drop()
    await chat.live()
    assert [asked.get("session_token") is None for asked in chat.peer.asked] == [True, False, True]


async def test_what_was_not_acknowledged_goes_to_the_new_session(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    chat.peer.nack = lambda frame: later(60_000)
    await chat.write("not lost")
    await chat.peer.until_heard("msg")
    chat.peer.nack = lambda frame: None
    forgotten = chat.peer.session
    chat.peer.sessions.clear()
    for socket in list(forgotten.sockets):
        await socket.close(code=4401)
    await chat.live()
    await chat.peer.until(lambda: stored(chat) == ["not lost"])
    assert chat.peer.session is not forgotten


async def test_an_ended_session_leaves_nothing_and_can_be_followed_by_a_new_one(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.peer.say("private")
    await expect(chat.items).to_have_count(1)
    await chat.peer.drop(4410)
    await expect(chat.page.get_by_text("Chat ended")).to_be_visible()
    await expect(chat.items).to_have_count(0)
    assert await chat.page.evaluate("localStorage.getItem('throughline:site:session')") is None
    await chat.page.get_by_role("button", name="Start a new chat").click()
    await chat.live()
    assert len(chat.peer.sessions) == 2


async def test_closed_for_good_where_the_page_may_not(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    for code in (4403, 4404):
        await chat.peer.drop(code)
        await expect(chat.page.get_by_text("Chat is not available here")).to_be_visible()
        dials = len(chat.peer.dials)
        await chat.page.evaluate("throughline.element.chat.woken()")
        await chat.state("stopped")
        assert len(chat.peer.dials) == dials
        await chat.visit()
        await chat.live()


async def test_a_refused_session_stops_with_a_message(chat: Chat) -> None:
    chat.peer.session_status = 403
    await chat.visit()
    await chat.page.get_by_role("button", name="Open chat").click()
    await expect(chat.page.get_by_text("Chat is not available here")).to_be_visible()
    await chat.state("stopped")


async def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(chat: Chat) -> None:
    await chat.page.add_init_script(
        "const real = AbortSignal.timeout; AbortSignal.timeout = (ms) => real.call(AbortSignal, ms / 100);"
    )
    chat.peer.gate.clear()
    await chat.visit()
    await chat.page.get_by_role("button", name="Open chat").click()
    await chat.peer.until(lambda: len(chat.peer.asked) == 2)
    chat.peer.gate.set()
    await chat.live()


async def test_the_server_says_that_it_will_go(chat: Chat) -> None:
    await chat.visit()
    await chat.open()
    await chat.peer.push({"t": "close_soon", "reconnect_after_ms": 20})
    await chat.peer.until(lambda: len(chat.peer.dials) == 2)
    await chat.live()


async def test_a_silent_line_is_given_up(chat: Chat) -> None:
    await chat.page.clock.install()
    await chat.visit()
    await chat.open()
    await chat.page.clock.run_for(26_000)
    await chat.peer.until_heard("ping")
    await chat.peer.say("still here")  # once it shows, the silence has ended
    await expect(chat.items).to_have_count(1)
    await chat.state("live")
    chat.peer.deaf = True
    await chat.page.clock.run_for(26_000)
    await chat.peer.until_heard("ping", 2)
    await chat.page.clock.run_for(11_000)
    await chat.page.clock.run_for(31_000)
    await chat.peer.until(lambda: len(chat.peer.dials) == 2)
